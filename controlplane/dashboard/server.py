"""HTTP of the control plane: `/metrics`, `/healthz`, `/readyz`, read only; and what others serve beside them."""

from collections.abc import Callable, Iterable

from aiohttp import web

from controlplane.dashboard.web.access import NotOurPageError, check_host
from controlplane.dashboard.web.visitors.server import Handler


class HttpServer:
    """`metrics` gives Prometheus text; `not_ready` gives the reason why this process must not be used yet, or ""."""

    def __init__(
        self, *, metrics: Callable[[], bytes], not_ready: Callable[[], str], beside: Iterable[web.AbstractRouteDef] = ()
    ) -> None:
        self._metrics = metrics
        self._not_ready = not_ready
        self._host = ""
        app = web.Application(middlewares=[self._under_its_name])
        app.router.add_get("/metrics", self._get_metrics)
        app.router.add_get("/healthz", self._get_healthz)
        app.router.add_get("/readyz", self._get_readyz)
        app.router.add_routes(beside)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self, host: str, port: int) -> None:
        """Raises OSError if the address is taken."""
        self._host = host
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _under_its_name(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whoever changes something must call a port on loopback by a name of loopback: a page elsewhere that has a
        browser here cannot (DNS rebinding)."""
        if request.method not in ("GET", "HEAD"):
            try:
                check_host(request.host, self._host)
            except NotOurPageError as error:
                return web.Response(status=403, text=f"{error}\n")
        return await handler(request)

    async def _get_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _get_healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _get_readyz(self, _: web.Request) -> web.Response:
        reason = self._not_ready()
        return web.Response(status=503, text=f"{reason}\n") if reason else web.Response(text="ok\n")
