"""The door of the admin port: a server interceptor that learns who calls, and lets pass what their role may do.

Every method goes through it, health and reflection too. Handlers ask `caller()` who it is. A port in clear without a
file of tokens knows nobody and lets everybody pass: it stands on loopback, or was told `--insecure`.
"""

import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from enum import Enum
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from controlplane.clock import Clock
from controlplane.errors import SerinusError
from controlplane.security.access import Token, identify
from controlplane.security.errors import ForbiddenError, UnauthenticatedError
from controlplane.security.identity import CERT_PROPERTY, LOCAL, SAN_PROPERTY, Caller, Identity, address_of, certified
from controlplane.security.roles import require, role_of
from controlplane.security.validity import check_running

log = logging.getLogger("serinus.admin")

# Manifests of thousands of services, or a hundred calls that were refused: seldom enough for a look of some 10 ms.
COLLECT_EVERY_BYTES = 4 * 1024 * 1024
REFUSED_BYTES = 32 * 1024  # what one keeps beside its request, more or less

_caller: ContextVar[Caller] = ContextVar("caller")
_Context = Any  # a handler of any kind: grpc ships no types for them
_STATUS = {
    UnauthenticatedError.code: grpc.StatusCode.UNAUTHENTICATED,
    ForbiddenError.code: grpc.StatusCode.PERMISSION_DENIED,
}


def caller() -> Caller:
    """Who makes the call that is being handled."""
    return _caller.get()


@contextlib.contextmanager
def acting_as(known: Caller) -> Iterator[None]:
    """Around a call that came by another way than the port, whose caller is known."""
    token = _caller.set(known)
    try:
        yield
    finally:
        _caller.reset(token)


class Door(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """`tokens` None: there is no file of them. `has_tls`: the port shows certificates."""

    def __init__(self, *, has_tls: bool, tokens: Callable[[], Sequence[Token]] | None, clock: Clock) -> None:
        self._has_tls = has_tls
        self._tokens = tokens
        self._clock = clock
        self._received_bytes = 0

    def received(self, count: int) -> None:
        """A call that was refused leaves a few objects in a cycle, with its request in them. The collector counts
        objects, not bytes, and hardly ever looks at old ones: 4,000 bad calls took 150 MB, with this they take 10."""
        self._received_bytes += count
        if self._received_bytes > COLLECT_EVERY_BYTES:
            self._received_bytes = 0
            gc.collect()

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Around a call: one that is refused counts."""
        try:
            yield
        except grpc.aio.AbortError:
            self.received(REFUSED_BYTES)
            raise

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> grpc.RpcMethodHandler | None:
        handler = await continuation(handler_call_details)
        return handler and guarded(handler, self, handler_call_details.method)

    async def admit(self, method: str, context: _Context) -> None:
        """Returns if the call may go on; `caller()` knows it then. Ends the call otherwise."""
        address = address_of(context.peer())
        try:
            identity = self.identity(context.invocation_metadata() or (), context.auth_context() or {})
            require(method, identity)
        except SerinusError as error:
            log.warning("admin call refused", extra={"fields": {"method": method, "from": address, "code": error.code}})
            await context.abort(_STATUS[error.code], str(error))
        _caller.set(Caller(identity or Identity("nobody", ""), address))

    def identity(
        self, metadata: Sequence[tuple[str, str | bytes]], auth: Mapping[str, Sequence[bytes]]
    ) -> Identity | None:
        """By the token, which counts before the certificate; None: nothing was shown, and something has to be."""
        header = next((value for key, value in metadata if key == "authorization"), None)
        if header is not None and self._tokens is not None:
            text = header.decode("ascii", "replace") if isinstance(header, bytes) else header
            return identify(text, self._tokens(), now_s=self._clock.now_ms() // 1_000)
        parties = certified(auth.get(SAN_PROPERTY, ()))
        if parties:
            # TLS looked at the certificate when the connection began, which may be long ago.
            check_running(next(iter(auth.get(CERT_PROPERTY, ())), b""), now_ms=self._clock.now_ms())
            return max(parties, key=role_of)
        if auth.get(CERT_PROPERTY):
            return Identity("certificate", "")
        return None if self._has_tls or self._tokens is not None else LOCAL


class _Malformed(Enum):
    """Bytes that are no message of the method's kind."""

    REQUEST = "malformed"


def tolerant(deserialize: Callable[[bytes], Any], received: Callable[[int], None]) -> Callable[[bytes], Any]:
    """gRPC answers UNKNOWN to what cannot be parsed, and logs a traceback for each; here it goes on as a value."""

    def parse(data: bytes) -> Any:
        received(len(data))
        try:
            return deserialize(data)
        except DecodeError:
            return _Malformed.REQUEST

    return parse


async def _require_message(request: Any, context: _Context) -> None:
    if request is _Malformed.REQUEST:
        said = "the request is no message of this method; next: use the .proto files of this version, or reflection"
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, said)


async def _messages(requests: AsyncIterator[Any], context: _Context) -> AsyncIterator[Any]:
    async for request in requests:
        await _require_message(request, context)
        yield request


def guarded(handler: Any, door: Door, method: str) -> grpc.RpcMethodHandler:
    """The same handler, behind the door. The API has no method with a stream of requests and one answer."""
    codec = {
        "request_deserializer": tolerant(handler.request_deserializer, door.received),
        "response_serializer": handler.response_serializer,
    }
    if handler.unary_unary is not None:
        inner = handler.unary_unary

        async def answer(request: Any, context: _Context) -> Any:
            with door.counting():
                await door.admit(method, context)
                await _require_message(request, context)
                return await inner(request, context)

        return grpc.unary_unary_rpc_method_handler(answer, **codec)
    stream = handler.unary_stream or handler.stream_stream
    assert stream is not None, f"{method} takes a stream and gives one answer: teach the door about it"

    async def follow(request: Any, context: _Context) -> None:
        with door.counting():
            await door.admit(method, context)
            if handler.unary_stream:
                await _require_message(request, context)
            told = stream(request if handler.unary_stream else _messages(request, context), context)
            if not isinstance(told, AsyncIterator):
                await told
                return
            async with contextlib.aclosing(told) as messages:  # type: ignore[type-var]
                async for message in messages:
                    # A stream lasts for hours: who may no longer see it is told so with the next message.
                    await door.admit(method, context)
                    await context.write(message)

    make = grpc.unary_stream_rpc_method_handler if handler.unary_stream else grpc.stream_stream_rpc_method_handler
    return make(follow, **codec)
