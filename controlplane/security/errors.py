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


class UnauthenticatedError(SerinusError):
    """A call that does not show who makes it, or shows what is not good. The message never holds the token."""

    code = "unauthenticated"


class ForbiddenError(SerinusError):
    """Who calls is known, and may not do this."""

    code = "forbidden"


class TokenFileError(SerinusError):
    """The file of access tokens cannot be read, or a line of it is none. The message never holds a hash."""

    code = "invalid_token_file"


class NodeIdentityError(SerinusError):
    """A node whose certificate is another's."""

    code = "node_identity"
