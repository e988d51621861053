"""What the pages need of the control plane; `app.py` gives it."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

from controlplane.security.access import Token
from controlplane.security.identity import Caller


class Api(Protocol):
    async def call(self, method: str, request: Any, caller: Caller) -> Any:
        """One call of `serinus.v1.Admin`. Raises SerinusError in the API's own words."""


class Subject(Protocol):
    """What moves a rollout's page at once."""

    def state(self, rollout: str) -> Hashable:
        """Another value after each of its moves; of "" after a move of any."""

    async def changed(self, timeout_s: float, /) -> None: ...


Tokens = Callable[[], Sequence[Token]]
