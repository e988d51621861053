"""What keeps a process from listening or connecting safely. Each message names the flag or file at fault."""

from controlplane.errors import SerinusError


class ListenAddressError(SerinusError):
    """An address that is not HOST:PORT."""

    code = "invalid_address"


class UnsafeListenError(SerinusError):
    """Would listen in clear beyond loopback without having been told to."""

    code = "unsafe_listen"


class TlsFilesError(SerinusError):
    """A certificate, key or CA file that is missing, unreadable, expired, or belongs to another."""

    code = "invalid_tls_files"


class SecretReadError(SerinusError):
    """A file of the secrets directory that cannot be read, or may not be. The message never holds its content."""

    code = "secret_unreadable"
