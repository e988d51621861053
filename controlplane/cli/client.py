"""The CLI's side of the admin API: one channel, errors as words, exit codes."""

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import typer

from controlplane.errors import SerinusError
from controlplane.security.client import channel_credentials, server_only_credentials
from controlplane.security.listen import parse_listen
from controlplane.settings import TlsFiles, tls_files
from serinus.v1 import admin_pb2_grpc

T = TypeVar("T")

DEFAULT_ADMIN = "127.0.0.1:7400"
CALL_TIMEOUT_S = 10.0
TOKEN_CHARS_MAX = 1_000  # of a file that is said to hold one

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_ROLLED_BACK = 10
EXIT_TIMEOUT = 11
EXIT_ABORTED = 12
EXIT_NOT_FOUND = 13

ADMIN_OPTION = typer.Option("--admin", envvar="SERINUS_ADMIN", help="Admin API of the control plane, HOST:PORT.")


def fail(message: str, *, code: int = EXIT_ERROR) -> typer.Exit:
    """Say what is wrong on stderr; raise what this returns."""
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(code)


def actor() -> str:
    """Who is at the keyboard, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def tls_from_environment() -> TlsFiles | None:
    """TLS files of operators come from the environment, so that every verb has the same short line."""

    def path(name: str) -> Path | None:
        value = os.environ.get(name)
        return Path(value) if value else None

    return tls_files(path("SERINUS_TLS_CA"), path("SERINUS_TLS_CERT"), path("SERINUS_TLS_KEY"))


def token_from_environment() -> str:
    """An operator's token, or "". A file is better than a variable, which every child process sees."""
    path = os.environ.get("SERINUS_TOKEN_FILE")
    if not path:
        return os.environ.get("SERINUS_TOKEN", "").strip()
    try:
        with open(path, encoding="ascii") as file:
            return file.read(TOKEN_CHARS_MAX).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise fail(f"SERINUS_TOKEN_FILE {path} cannot be read: {getattr(error, 'strerror', 'it is no text')}") from None


def open_channel(address: str) -> grpc.Channel:
    """A channel with what the environment says: TLS files (the CA alone, with a token), and the token."""
    token = token_from_environment()
    names = ("SERINUS_TLS_CA", "SERINUS_TLS_CERT", "SERINUS_TLS_KEY")
    if token and [bool(os.environ.get(name)) for name in names] == [True, False, False]:
        channel = grpc.secure_channel(address, server_only_credentials(Path(os.environ[names[0]])))
    elif (tls := tls_from_environment()) is not None:
        channel = grpc.secure_channel(address, channel_credentials(tls))
    elif token and not parse_listen(address, flag="--admin").is_loopback:
        raise fail(f"a token is not sent to {address} in clear; next: set SERINUS_TLS_CA to the CA's certificate")
    else:
        channel = grpc.insecure_channel(address)
    return grpc.intercept_channel(channel, Bearer(token)) if token else channel


class Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):  # type: ignore[misc,unused-ignore]
    """Adds the token to every call."""

    def __init__(self, token: str) -> None:
        self._field = ("authorization", f"Bearer {token}")

    def _add(self, proceed: Callable[[Any, Any], Any], details: Any, request: Any) -> Any:
        fresh = _Details(details.method, details.timeout, [*(details.metadata or ()), self._field])
        return proceed(fresh, request)

    intercept_unary_unary = _add
    intercept_unary_stream = _add


class _Details(grpc.ClientCallDetails):  # type: ignore[misc,unused-ignore]
    def __init__(self, method: str, timeout: float | None, metadata: list[tuple[str, str]]) -> None:
        self.method, self.timeout, self.metadata = method, timeout, metadata
        self.credentials = self.wait_for_ready = self.compression = None


@contextmanager
def admin_stub(address: str) -> Iterator[Any]:
    """A stub of `serinus.v1.Admin`; gRPC errors become one line on stderr and an exit code."""
    try:
        channel = open_channel(address)
    except SerinusError as error:
        raise fail(str(error), code=EXIT_USAGE) from None
    with channel:
        try:
            yield admin_pb2_grpc.AdminStub(channel)
        except grpc.RpcError as error:
            raise rpc_failure(address, error) from error


def rpc_failure(address: str, error: Any) -> typer.Exit:
    """The exit that belongs to a gRPC error, after saying what failed and what to do next."""
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.UNAVAILABLE:
        return fail(f"no control plane answers at {address}: {details}; next: start it, or give --admin HOST:PORT")
    if code is grpc.StatusCode.NOT_FOUND:
        return fail(details, code=EXIT_NOT_FOUND)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return fail(f"{address} did not answer within {CALL_TIMEOUT_S:g} s; next: serinus get, or see its log")
    return fail(details or code.name)


def call(address: str, act: Callable[[Any], T]) -> T:
    """One call on a fresh channel."""
    with admin_stub(address) as stub:
        return act(stub)


def call_if_allowed(address: str, act: Callable[[Any], T]) -> tuple[T | None, str]:
    """As `call`; where the caller's role does not reach, None and the server's words."""
    with admin_stub(address) as stub:
        try:
            return act(stub), ""
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            return None, error.details() or "not allowed"
