"""What may be wrong with a snapshot: found before anything leaves the control plane."""

from controlplane.errors import SerinusError


class SnapshotError(SerinusError):
    """A snapshot that would not route as asked. Nothing of it is published."""

    code = "snapshot_invalid"


class MissingClusterError(SnapshotError):
    """A route names clusters that the snapshot does not hold: Envoy would answer 503 NC."""

    def __init__(self, resource: str, missing: frozenset[str]) -> None:
        super().__init__(
            f"{resource} names clusters that are not in the snapshot: {', '.join(sorted(missing))}",
            next_step="give the service a version for each of them, or take them out of the route",
        )
        self.missing = missing


class UnknownVersionError(SnapshotError):
    """A baseline or candidate that is not among the service's versions."""

    def __init__(self, service: str, role: str, version: str) -> None:
        super().__init__(
            f"service {service}: {role} {version!r} is not one of its versions",
            next_step=f"add version {version!r} to the service or name another {role}",
        )


class WeightError(SnapshotError):
    """A weighted cluster whose weights do not sum to 10000, or a weight out of range. Never guessed, never emitted."""

    def __init__(self, service: str, weights_bp: tuple[int, ...]) -> None:
        super().__init__(
            f"service {service}: weights {list(weights_bp)} bp are not each 0..10000 with the sum 10000",
            next_step="give the candidate a weight between 0 and 10000 bp; the baseline takes the rest",
        )


class DuplicateRouteError(SnapshotError):
    """Two services claim one host and prefix: which of them answers would depend on their order."""

    def __init__(self, host: str, prefix: str, services: tuple[str, ...]) -> None:
        super().__init__(
            f"services {' and '.join(services)} both claim host {host!r} with prefix {prefix!r}",
            next_step="change the host or the prefix of one of them",
        )


class BootstrapError(SerinusError):
    """A bootstrap that cannot be rendered from the settings given."""

    code = "bootstrap_invalid"


class SecretFileError(SnapshotError):
    """A file of the secrets directory that a version names cannot serve. The message never holds its content."""

    def __init__(self, secret: str, file: str, fault: str, next_step: str) -> None:
        super().__init__(f"secret {secret}: file {file} {fault}", next_step=next_step)
        self.secret = secret
        self.file = file
