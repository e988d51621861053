"""The contents of the secret files that versions name, as they were last read well. Pure: the shell reads.

A file that cannot be read any more, or holds nonsense, changes nothing: the proxies keep what they have, and it is
said. Contents are never shown, logged or compared but for equality.
"""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeVar

from controlplane.engine.world import World
from controlplane.manifest.credential import UpstreamAuth
from controlplane.manifest.errors import Problem
from controlplane.manifest.load import Manifest
from controlplane.manifest.schema import ServiceSpec, secret_files
from controlplane.snapshot.errors import SecretFileError

T = TypeVar("T")

NO_FILES: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found. `faults`: by file, why it cannot be read, a sentence that names it and holds no content."""

    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    faults: Mapping[str, str] = field(default_factory=dict)


class SecretSource(Protocol):
    """Where the files are. Blocks: it is called off the event loop."""

    def read(self, names: Collection[str], /) -> Reading:
        """Every one of these files is in `files` or in `faults`."""


class NoSecrets:
    """A control plane without a secrets directory."""

    def read(self, names: Collection[str], /) -> Reading:
        return Reading(faults={name: f"secret file {name}: there is no directory of secrets" for name in names})


@dataclass(frozen=True, slots=True)
class Credential:
    """A header from a file, for calls of our own. `secret`: what no text may repeat. `fault`: why there is none."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: str = field(default="", repr=False)
    fault: str = ""


def credential_of(source: SecretSource, auth: UpstreamAuth | None) -> Credential:
    """Read anew for each call: a renewed file counts at once. Blocks."""
    if auth is None:
        return Credential()
    read = source.read({auth.file})
    if fault := read.faults.get(auth.file, ""):
        return Credential(fault=fault)
    try:
        secret = read.files[auth.file].strip().decode("ascii")
    except UnicodeDecodeError:
        secret = ""
    if not secret or not secret.isprintable():
        return Credential(fault=f"secret file {auth.file} holds no text for a header")
    return Credential({auth.header: auth.value_prefix + secret}, secret)


def names_of(world: World) -> frozenset[str]:
    """Every file that a service names."""
    return secret_files(service.spec for service in world.services.values())


def problems(manifests: Sequence[Manifest], faults: Mapping[str, str]) -> list[Problem]:
    """The faults of files that these manifests name, each where it is named."""
    found = []
    for manifest in manifests:
        if isinstance(manifest.spec, ServiceSpec):
            for index, version in enumerate(manifest.spec.versions):
                for name in sorted(version.files & faults.keys()):
                    is_credential = version.auth is not None and version.auth.file == name
                    path = ("versions", index, "auth", "file") if is_credential else ("versions", index, "tls")
                    found.append(manifest.problem(path, faults[name]))
    return found


class SecretBook:
    """`files`: the last good content by name. `faults`: what is wrong with a file now."""

    def __init__(self) -> None:
        self.files: Mapping[str, bytes] = NO_FILES
        self.faults: Mapping[str, str] = {}

    def build(
        self, make: Callable[[Mapping[str, bytes]], T], reading: Reading, world: World
    ) -> tuple[T, Mapping[str, bytes], Mapping[str, str]]:
        """What `make` makes of the contents read, these contents, and all faults.

        A file that was lost, or holds what cannot serve, counts with its last good content. Raises SecretFileError if
        it has none.
        """
        files, faults = {**self.files, **reading.files}, dict(reading.faults)
        while True:
            try:
                return make(files), files, faults
            except SecretFileError as error:
                faults[error.file] = str(error)
                # A key goes with its certificate: one that was replaced alone fits nothing.
                together = _together(error.file, world) & self.files.keys()
                before = {name: self.files[name] for name in together if files[name] != self.files[name]}
                if not before:
                    raise
                files |= before

    def take(self, files: Mapping[str, bytes], faults: Mapping[str, str], used: Set[str]) -> tuple[str, ...]:
        """Contents in force from now on, of the files that are used. Returns the faults that were not there before."""
        self.files = {name: content for name, content in files.items() if name in used}
        new = tuple(fault for name, fault in sorted(faults.items()) if self.faults.get(name) != fault)
        self.faults = faults
        return new

    def is_news(self, reading: Reading) -> bool:
        """Whether a reading says anything else than what is known."""
        is_changed = any(self.files.get(name) != content for name, content in reading.files.items())
        return is_changed or reading.faults != self.faults

    def findings(self, names: Set[str]) -> tuple[str, ...]:
        """What people should know about these files, one sentence each."""
        return tuple(
            f"{fault} (until then the proxies keep what was read before)"
            for name, fault in sorted(self.faults.items())
            if name in names
        )


def _together(file: str, world: World) -> frozenset[str]:
    """The files that some version names together with this one."""
    versions = (version for service in world.services.values() for version in service.spec.versions)
    return frozenset({file}).union(*(version.files for version in versions if file in version.files))
