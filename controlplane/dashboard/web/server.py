"""The pages over HTTP: reading, actions, log in, and the streams that keep open pages fresh.

Nothing is decided here that the admin API does not decide: each page is made of its answers and each button is one of
its calls, by the same roles, with the same record of who did it.
"""

import asyncio
import contextlib
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from controlplane.clock import Clock
from controlplane.dashboard.web import client
from controlplane.dashboard.web.access import NotOurPageError, TooManyTriesError, check_host
from controlplane.dashboard.web.feed.runner import Feed, Sections
from controlplane.dashboard.web.history import Plot
from controlplane.dashboard.web.page import rollout_page
from controlplane.dashboard.web.port import Api, Subject, Tokens
from controlplane.dashboard.web.render import HOME_PARTS, ROLLOUT_PARTS, Renderer
from controlplane.dashboard.web.visitors.server import Handler, Visitors, html, own_page, seen_at, shared
from controlplane.dashboard.web.wire import beside, place_line
from controlplane.dashboard.wire import rollout_record
from controlplane.errors import SerinusError
from controlplane.security.errors import ForbiddenError, UnauthenticatedError
from controlplane.security.identity import LOCAL, Caller, Identity
from controlplane.security.roles import Role, role_of

log = logging.getLogger("serinus.dashboard")

STATIC = Path(__file__).parent / "static"
BODY_BYTES_MAX = 16 * 1024
# Nothing is taken from elsewhere, nothing inline is run, and nobody frames it.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # `no-referrer` would have browsers send `a null Origin` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class BadRequestError(SerinusError):
    code = "bad_request"


class Dashboard:
    """`tokens` None: there is no file of them; then, unless `is_open`, nobody can log in. `is_open`: whoever reaches
    the port may do everything, as on an admin port in clear without tokens."""

    def __init__(
        self,
        api: Api,
        subject: Subject,
        *,
        tokens: Tokens | None,
        is_open: bool,
        listen_host: str,
        clock: Clock,
    ) -> None:
        self._api, self._subject = api, subject
        self._listen_host = listen_host
        self._feed, self._render = Feed(subject.changed), Renderer()
        self._visitors = Visitors(self._render, tokens=tokens, is_open=is_open, clock=clock)

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self._guarded(self._home)),
            web.get("/rollouts/{name}", self._guarded(self._rollout)),
            web.get("/rollouts/{name}/decisions.json", self._guarded(self._decisions)),
            web.post("/rollouts/{name}/{verb}", self._guarded(self._act)),
            web.get("/services/{name}", self._guarded(self._service)),
            web.get("/events", self._guarded(self._events)),
            *(web.route(method, path, self._guarded(handler)) for method, path, handler in self._visitors.handlers()),
            web.static("/static", STATIC),
        ]

    async def run(self) -> None:
        """Keep open pages fresh, until cancelled."""
        await self._feed.run()

    # --- who asks ---

    def _guarded(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                check_host(request.host, self._listen_host)
                response = await handler(request)
            except UnauthenticatedError:
                response = seen_at(f"/login?to={quote(request.path)}")
            except SerinusError as error:
                response = self._problem(request, error)
            if not response.prepared:
                response.headers.update(HEADERS)
            return response

        return answer

    def _caller(self, request: web.Request, identity: Identity, claimed: str = "") -> Caller:
        return Caller(identity, f"dashboard, {request.remote or 'unknown'}", claimed)

    def _problem(self, request: web.Request, error: SerinusError) -> web.Response:
        status = getattr(getattr(error, "status", None), "name", "")
        code = {"NOT_FOUND": 404, "UNAVAILABLE": 503, "FAILED_PRECONDITION": 409}.get(status, 400)
        if isinstance(error, ForbiddenError | NotOurPageError):
            code = 403
        if isinstance(error, TooManyTriesError):
            code = 429
        if request.method == "POST" and request.path != "/login":
            return web.Response(text=str(error), status=code)
        heading = "Not found" if code == 404 else "That was not possible"
        text = self._render.page("problem", heading=heading, words=str(error))
        return web.Response(text=text, content_type="text/html", status=code)

    # --- reading ---

    async def _home(self, request: web.Request) -> web.Response:
        identity, csrf = self._visitors.who(request)
        sections = await self._home_sections(self._caller(request, identity))
        shown = {"sections": sections, "parts_of_page": HOME_PARTS, "feed": "/events?page=home"}
        return html(self._render.page("home", **shown, **shared(identity, csrf)))

    async def _home_sections(self, caller: Caller) -> Sections:
        return self._render.home_sections(*await client.home_lines(self._api, caller))

    async def _rollout(self, request: web.Request) -> web.Response:
        identity, csrf = self._visitors.who(request)
        name = request.match_info["name"]
        caller = self._caller(request, identity)
        response = await client.explained(self._api, name, caller)
        text = self._render.page(
            "rollout",
            rollout=name,
            curves=await self._curves(response.rollout, caller),
            sections=self._sections_of(response, caller),
            parts_of_page=ROLLOUT_PARTS,
            may_operate=role_of(identity) >= Role.OPERATOR,
            asks_name=identity is LOCAL,
            feed=str(request.rel_url.with_path("/events").with_query(page="rollout", name=name)),
            **shared(identity, csrf),
        )
        return html(text)

    async def _rollout_sections(self, name: str, caller: Caller) -> Sections:
        return self._sections_of(await client.explained(self._api, name, caller), caller)

    def _sections_of(self, response: Any, caller: Caller) -> Sections:
        may_operate = role_of(caller.identity) >= Role.OPERATOR
        page = rollout_page(rollout_record(response), beside(response.rollout), may_operate=may_operate)
        return self._render.rollout_sections(page)

    async def _curves(self, view: Any, caller: Caller) -> list[Plot]:
        """Of the rollout's two versions since it began; made when the page is loaded."""
        versions = (view.baseline, view.candidate)
        return await client.curves(self._api, view.service, caller, from_ms=view.started_at_ms, versions=versions)

    async def _decisions(self, request: web.Request) -> web.Response:
        identity, _ = self._visitors.who(request)
        name, caller = request.match_info["name"], self._caller(request, identity)
        record = rollout_record(await client.explained(self._api, name, caller))
        events = [
            {"at_ms": e.at_ms, "action": e.action, "reason": e.reason, "actor": e.actor, "text": e.text}
            for e in record.events
        ]
        return web.json_response({"rollout": record.name, "decisions": events})

    async def _service(self, request: web.Request) -> web.Response:
        identity, csrf = self._visitors.who(request)
        caller, name = self._caller(request, identity), request.match_info["name"]
        row = await client.service(self._api, name, caller)
        asked, place, problem = request.query.get("headers", ""), None, ""
        if asked.strip():
            try:
                place = place_line(await client.place(self._api, name, asked, caller))
            except SerinusError as error:
                problem = str(error)
        shown = {"asked": asked, "place": place, "problem": problem, **shared(identity, csrf)}
        shown["history"] = await client.history(self._api, name, caller)
        shown["curves"] = await client.curves(self._api, name, caller)
        return html(self._render.service(row, **shown))

    # --- acting ---

    async def _act(self, request: web.Request) -> web.Response:
        identity, csrf = self._visitors.who(request)
        own_page(request, request.headers.get("X-Serinus-Csrf", ""), csrf)
        told = await _object(request)
        caller = self._caller(request, identity, str(told.get("name") or "dashboard"))
        name, verb = request.match_info["name"], request.match_info["verb"]
        await client.operate(self._api, name, verb, str(told.get("reason", "")), caller)
        return web.Response(text="done")

    # --- live ---

    async def _events(self, request: web.Request) -> web.StreamResponse:
        identity, _ = self._visitors.who(request)
        if self._feed.is_full:
            return web.Response(text="too many pages are open", status=503)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await self._send(request, response, identity)
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, identity: Identity) -> None:
        name, caller = request.query.get("name", ""), self._caller(request, identity)
        is_home = request.query.get("page") == "home"

        async def make() -> Sections:
            return await (self._home_sections(caller) if is_home else self._rollout_sections(name, caller))

        # All who may do the same are shown the same.
        key = (is_home, name, role_of(identity))
        follow = self._feed.follow(key, make, lambda: self._subject.state("" if is_home else name))
        async with contextlib.aclosing(follow) as news:  # type: ignore[type-var]
            async for sections in news:
                try:
                    known, _ = self._visitors.who(request)
                except UnauthenticatedError:
                    await response.write(b"event: over\ndata: logged out: load the page again\n\n")
                    return
                if known.role != identity.role:
                    return  # the page connects again, as who it is now
                text = f"event: sections\ndata: {json.dumps(sections)}\n\n" if sections else ": still here\n\n"
                await response.write(text.encode())


async def _object(request: web.Request) -> dict[str, object]:
    """A small JSON object. Raises BadRequestError."""
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise BadRequestError("the body is too long", next_step=f"send at most {BODY_BYTES_MAX} bytes")
    try:
        told = json.loads(await request.content.read(BODY_BYTES_MAX))
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise BadRequestError("the body is no JSON object", next_step="load the page again")
    return told
