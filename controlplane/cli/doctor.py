"""doctor: what is installed here, and what of a running system answers; what is wrong, and what to do."""

import importlib.util
import platform
import sys
import urllib.error
import urllib.request
from typing import Annotated, Any

import grpc
import typer

from controlplane.cli import diagnosis
from controlplane.cli.client import ADMIN_OPTION, DEFAULT_ADMIN, EXIT_ERROR, open_channel
from controlplane.cli.diagnosis import Answer, Check, State
from controlplane.cli.output import OUTPUT_OPTION, Output, emit, table
from controlplane.errors import SerinusError
from controlplane.local import envoy_binary
from serinus.v1 import admin_pb2, admin_pb2_grpc

Admin = Annotated[str, ADMIN_OPTION]
Format = Annotated[Output, OUTPUT_OPTION]

# gRPC's generated code has no types.
_STUB: Any = admin_pb2_grpc.AdminStub
PYTHON_MIN = (3, 11)
# Loopback answers in milliseconds; who takes longer has something to be looked at.
TIMEOUT_S = 3.0
_BODY_BYTES_MAX = 1_000


def doctor(
    admin: Admin = DEFAULT_ADMIN,
    http: Annotated[str, typer.Option("--http", help="HTTP of the control plane.")] = "127.0.0.1:7402",
    sidecar_http: Annotated[str, typer.Option("--sidecar-http", help="HTTP of the sidecar.")] = "127.0.0.1:7412",
    envoy_admin: Annotated[str, typer.Option("--envoy-admin", help="Envoy's admin address.")] = "127.0.0.1:7420",
    output: Format = Output.TABLE,
) -> None:
    """What is wrong here, and what to do; exit 1 if something is. Example: serinus doctor"""
    answers = [
        _ready("control plane", http, "/readyz"),
        _ready("sidecar", sidecar_http, "/readyz"),
        _ready("envoy", envoy_admin, "/ready"),
    ]
    checks = diagnosis.ranked([*_installed(), *diagnosis.parts(answers), *_asked(admin, is_there=answers[0].is_there)])
    if output is Output.TABLE:
        table(["", "CHECK", "WHAT", "NEXT"], [[one.state, one.name, one.text, one.next_step or "-"] for one in checks])
    else:
        emit(diagnosis.as_data(checks), output)
    if not diagnosis.is_well(checks):
        raise typer.Exit(EXIT_ERROR)


def _installed() -> list[Check]:
    version = platform.python_version()
    found = [Check("python", State.OK, version)]
    if sys.version_info < PYTHON_MIN:
        found = [Check("python", State.FAIL, f"{version} is too old", "install Python 3.11 or newer")]
    try:
        found.append(Check("envoy binary", State.OK, envoy_binary.require().version_text))
    except SerinusError as error:
        found.append(Check("envoy binary", State.FAIL, error.message, error.next_step or ""))
    if importlib.util.find_spec("uvloop") is None:
        text = "not there: the sidecar runs on plain asyncio, at 10-15 % more CPU"
        found.append(Check("uvloop", State.WARN, text, "pip install uvloop"))
    return found


def _ready(name: str, address: str, path: str) -> Answer:
    try:
        # The scheme is ours and the address the user's own.
        with urllib.request.urlopen(f"http://{address}{path}", timeout=TIMEOUT_S):
            return Answer(name, address, is_there=True)
    except urllib.error.HTTPError as error:
        said = error.read(_BODY_BYTES_MAX).decode(errors="replace").strip()
        return Answer(name, address, is_there=True, error=said or f"status {error.code}")
    except (OSError, ValueError) as error:
        return Answer(name, address, is_there=False, error=str(getattr(error, "reason", error)))


def _asked(admin: str, *, is_there: bool) -> list[Check]:
    """What the control plane knows of its proxies and rollouts. Where none runs it is not asked."""
    if not is_there:
        return []
    try:
        with open_channel(admin) as channel:
            ask = _STUB(channel).Get
            fleet = ask(admin_pb2.GetRequest(kind="proxy"), timeout=TIMEOUT_S)
            told = ask(admin_pb2.GetRequest(kind="rollout", brief=True), timeout=TIMEOUT_S)
    except SerinusError as error:
        return [Check("admin API", State.FAIL, error.message, error.next_step or "")]
    except grpc.RpcError as error:
        text = f"{admin}: {error.details() or error.code().name}"
        return [Check("admin API", State.FAIL, text, "give --admin, and SERINUS_TLS_* or SERINUS_TOKEN_FILE")]
    found = [Check("admin API", State.OK, f"{admin} answers")]
    found += diagnosis.proxies(fleet.proxies)
    found += diagnosis.refusals(fleet.refusals)
    return found + diagnosis.rollouts(told.rollouts)
