"""Which logs are followed, from the manifests. Pure; bounded: those of `first` (with a rollout) go first."""

from collections.abc import Collection, Mapping

from controlplane.manifest.schema import ServiceSpec
from controlplane.signals.logs.book import LogPlace, LogTarget

# A file is an open descriptor and a look a second, a unit is a process of journalctl (10 MB).
FILES_MAX, UNITS_MAX = 128, 32


def log_targets_of(services: Mapping[str, ServiceSpec], first: Collection[str] = ()) -> tuple[LogTarget, ...]:
    files: list[LogTarget] = []
    units: list[LogTarget] = []
    for service in sorted(services, key=lambda name: (name not in first, name)):
        for version in services[service].versions:
            logs = version.logs
            if logs is None:
                continue
            files += (LogTarget(LogPlace(service, version.name, name), False, logs.patterns) for name in logs.files)
            units += (LogTarget(LogPlace(service, version.name, name), True, logs.patterns) for name in logs.units)
    return (*files[:FILES_MAX], *units[:UNITS_MAX])
