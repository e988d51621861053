"""The admin API for who asks from within this process, such as the pages: the same methods, roles, audit and words,
without a port between.
"""

from typing import Any

import grpc

from controlplane.admin.access.server import acting_as
from controlplane.admin.server import AdminServicer
from controlplane.engine.runner import Engine
from controlplane.errors import SerinusError
from controlplane.security.identity import Caller
from controlplane.security.roles import require


class CallRefusedError(SerinusError):
    """What a client of the port would be told. `status` is gRPC's."""

    code = "call_refused"

    def __init__(self, status: grpc.StatusCode, words: str) -> None:
        super().__init__(words)
        self.status = status


class _Here:
    """As much of a call's context as handlers of one request ask for."""

    async def abort(self, status: grpc.StatusCode, words: str) -> None:
        raise CallRefusedError(status, words)


class DirectCalls:
    def __init__(self, engine: Engine) -> None:
        self._servicer = AdminServicer(engine)

    async def call(self, method: str, request: Any, caller: Caller) -> Any:
        """The answer to one call of `serinus.v1.Admin`. Raises UnauthenticatedError, ForbiddenError,
        CallRefusedError."""
        require(f"/serinus.v1.Admin/{method}", caller.identity)
        with acting_as(caller):
            return await getattr(self._servicer, method)(request, _Here())
