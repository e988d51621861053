"""The CLI's side of the admin API: one channel, errors as words, exit codes."""

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import typer

from controlplane.security.client import channel_credentials
from controlplane.settings import TlsFiles, tls_files
from serinus.v1 import admin_pb2_grpc

T = TypeVar("T")

DEFAULT_ADMIN = "127.0.0.1:7400"
CALL_TIMEOUT_S = 10.0

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


@contextmanager
def admin_stub(address: str) -> Iterator[Any]:
    """A stub of `serinus.v1.Admin`; gRPC errors become one line on stderr and an exit code."""
    tls = tls_from_environment()
    if tls is not None:
        channel = grpc.secure_channel(address, channel_credentials(tls))
    else:
        channel = grpc.insecure_channel(address)
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
