"""Who looks at the pages: logging in and out, and whose session a request is of."""

import logging
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

from controlplane.clock import Clock
from controlplane.dashboard.web.access import Sessions, check_own
from controlplane.dashboard.web.port import Tokens
from controlplane.dashboard.web.render import Renderer
from controlplane.security.access import identify
from controlplane.security.errors import UnauthenticatedError
from controlplane.security.identity import LOCAL, Identity

log = logging.getLogger("serinus.dashboard")

COOKIE = "serinus-session"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Visitors:
    """`tokens` None: there is no file of them; then, unless `is_open`, nobody can log in."""

    def __init__(self, render: Renderer, *, tokens: Tokens | None, is_open: bool, clock: Clock) -> None:
        self._render, self._tokens, self._is_open, self._clock = render, tokens, is_open, clock
        self._sessions = Sessions()
        self._csrf = secrets.token_urlsafe(32)

    def handlers(self) -> list[tuple[str, str, Handler]]:
        return [
            ("GET", "/login", self._get_login),
            ("POST", "/login", self._post_login),
            ("POST", "/logout", self._logout),
        ]

    def who(self, request: web.Request) -> tuple[Identity, str]:
        """The identity and the `csrf` that its pages show. Raises UnauthenticatedError."""
        if self._is_open:
            return LOCAL, self._csrf
        key, tokens = request.cookies.get(COOKIE, ""), self._tokens() if self._tokens is not None else ()
        known = self._sessions.identity(key, tokens, self._now_s())
        if known is None:
            raise UnauthenticatedError("nobody is logged in", next_step="log in")
        return known

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1_000

    async def _get_login(self, request: web.Request) -> web.Response:
        return self._login_page(request.query.get("to", "/"))

    def _login_page(self, to: str, problem: str = "", status: int = 200) -> web.Response:
        text = self._render.page("login", to=to, problem=problem, has_tokens=self._tokens is not None)
        return web.Response(text=text, content_type="text/html", status=status)

    async def _post_login(self, request: web.Request) -> web.StreamResponse:
        own_page(request, "", "")
        form = await request.post()
        shown, to, now_s = str(form.get("token", "")), str(form.get("to", "/")), self._now_s()
        self._sessions.check_tries(now_s)
        tokens = self._tokens() if self._tokens is not None else ()
        try:
            who = identify(f"Bearer {shown}", tokens, now_s=now_s)
        except UnauthenticatedError as error:
            self._sessions.wrong(now_s)
            log.warning("log in refused", extra={"fields": {"from": request.remote, "code": error.code}})
            return self._login_page(to, error.message, 401)
        token = next(one for one in tokens if one.name == who.name)
        key = secrets.token_urlsafe(32)
        self._sessions.open(token, key=key, csrf=secrets.token_urlsafe(32), now_s=now_s)
        log.info("logged in", extra={"fields": {"name": who.name, "role": who.role, "from": request.remote}})
        # Only a path of ours: `//elsewhere` would be another host.
        response = seen_at(to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/")
        response.set_cookie(COOKIE, key, httponly=True, samesite="Strict", secure=request.secure, path="/")
        return response

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        _, csrf = self.who(request)
        own_page(request, str((await request.post()).get("csrf", "")), csrf)
        self._sessions.close(request.cookies.get(COOKIE, ""))
        response = seen_at("/login")
        response.del_cookie(COOKIE, path="/")
        return response


def shared(identity: Identity, csrf: str) -> dict[str, object]:
    """What every page shows of its visitor."""
    return {"csrf": csrf, "who": "" if identity is LOCAL else f"{identity.name} ({identity.role})"}


def own_page(request: web.Request, shown: str, csrf: str) -> None:
    """Raises NotOurPageError unless the request comes from a page of ours."""
    headers = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    check_own(headers, request.host, shown=shown, csrf=csrf)


def html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")


def seen_at(path: str) -> web.Response:
    """Go there."""
    return web.Response(status=303, headers={"Location": path})
