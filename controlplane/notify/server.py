"""`POST /api/v1/alerts`: Alertmanager tells what fires. Answered once it is in the store, so that what was taken is not
lost; until then Alertmanager asks again. Only the control plane that leads takes anything.

It stands on the HTTP port, behind the same tokens as the admin port (role operator). Who is asked to send JSON, as a
browser does only after asking, is no web page that somebody on this machine has open.
"""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web

from controlplane.engine.incoming import FIRING_MAX, JOURNAL, firing_of, record_of
from controlplane.engine.runner import Engine
from controlplane.errors import SerinusError
from controlplane.notify.alerts_in import AlertPayloadError, Incoming, incoming_of
from controlplane.security.errors import ForbiddenError, UnauthenticatedError
from controlplane.security.identity import Identity
from controlplane.security.roles import Role, role_of
from controlplane.store.port import Store
from controlplane.telemetry.catalogue import ALERTS_IN
from controlplane.telemetry.exporter import Exporter

log = logging.getLogger("serinus.notify")

PATH = "/api/v1/alerts"
# How soon after it begins to lead it knows what fires; rollouts that listen hold so long.
LOOK_S = 0.5


class NotReadyError(SerinusError):
    """Ask another control plane, or later."""

    code = "not_ready"


_STATUS = {
    AlertPayloadError.code: 400,
    UnauthenticatedError.code: 401,
    ForbiddenError.code: 403,
}


class AlertServer:
    """`identify`: who an `authorization` header is of; None: nothing was shown, and something has to be."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        exporter: Exporter,
        *,
        identify: Callable[[str | None], Identity | None],
        is_leading: Callable[[], bool] = lambda: True,
    ) -> None:
        self._engine, self._store, self._exporter = engine, store, exporter
        self._identify, self._is_leading = identify, is_leading
        # One request at a time: each changes what fires as a whole.
        self._lock = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self._post)]

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.load()
            except Exception:
                log.exception("what alerts fire cannot be read: rollouts that listen to them hold")
            await asyncio.sleep(LOOK_S)

    async def load(self) -> None:
        """What fired before, when this control plane begins to lead. Raises StoreError."""
        alerts = self._engine.alerts.incoming
        if alerts.is_known or not self._is_leading():
            return
        kept = await self._engine.stored(self._store.records, JOURNAL, 1)
        if not alerts.is_known:
            alerts.take(firing_of(kept[0], self._engine.now_ms()) if kept else ())

    async def _post(self, request: web.Request) -> web.Response:
        try:
            identity = self._admitted(request)
            found = incoming_of(await request.read(), self._engine.now_ms())
            async with self._lock:
                await self._take(found, identity.actor("alertmanager"))
        except SerinusError as error:
            self._exporter.count(ALERTS_IN, "refused")
            log.warning("alerts were refused: %s", error)
            return web.json_response({"error": str(error), "code": error.code}, status=_STATUS.get(error.code, 503))
        for outcome, count in (("firing", len(found.firing)), ("resolved", len(found.resolved))):
            self._exporter.count(ALERTS_IN, outcome, by=count)
        self._exporter.count(ALERTS_IN, "ignored", by=found.ignored)
        return web.json_response({"taken": len(found.firing) + len(found.resolved), "ignored": found.ignored})

    def _admitted(self, request: web.Request) -> Identity:
        """Raises UnauthenticatedError, ForbiddenError, AlertPayloadError."""
        identity = self._identify(request.headers.get("authorization"))
        if identity is None:
            raise UnauthenticatedError(
                "alerts need a token here", next_step="`serinus access add alertmanager --role operator` makes one"
            )
        if role_of(identity) < Role.OPERATOR:
            raise ForbiddenError(
                f"alerts need the role operator; {identity.described} has less", next_step="use a token of an operator"
            )
        if request.content_type != "application/json":
            raise AlertPayloadError("the content type is not application/json", next_step="send JSON, and say so")
        return identity

    async def _take(self, found: Incoming, actor: str) -> None:
        """Raises NotReadyError, StoreError; nothing has changed then."""
        engine, alerts, now_ms = self._engine, self._engine.alerts.incoming, self._engine.now_ms()
        if not self._is_leading() or not alerts.is_known:
            raise NotReadyError("this control plane does not lead, or not yet", next_step="ask the one that leads")
        firing = alerts.with_news(found.firing, found.resolved, now_ms)
        if len(firing) > FIRING_MAX:
            raise NotReadyError(f"more than {FIRING_MAX} alerts fire", next_step="send those of releases alone")
        if alerts.is_news(firing):
            await engine.stored(self._store.append, record_of(firing, actor, now_ms))
        alerts.take(firing)
