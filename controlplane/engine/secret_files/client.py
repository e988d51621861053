"""The secrets directory, as what reads from it sees it."""

from collections.abc import Collection
from pathlib import Path

from controlplane.engine.secrets import Reading
from controlplane.security.errors import SecretReadError
from controlplane.security.secrets.client import read_secret_file


class SecretDirectory:
    """The files of the secrets directory, read anew at each call."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, names: Collection[str]) -> Reading:
        files, faults = {}, {}
        for name in names:
            try:
                files[name] = read_secret_file(self._directory, name)
            except SecretReadError as error:
                faults[name] = str(error)
        return Reading(files, faults)
