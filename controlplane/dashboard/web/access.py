"""Who looks at the pages, and whether a request is the page's own. Pure: times, random text and tokens come in.

People log in with the tokens of the admin API and have the same roles. A session keeps the token's name and its hash,
so it ends with the token: when that is removed, replaced or over.
"""

import hmac
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from controlplane.errors import SerinusError
from controlplane.security.access import Token
from controlplane.security.identity import Identity

# People of one control plane, each with some browsers; the oldest session makes room.
SESSIONS_MAX = 1_000
# A working day: whoever comes back tomorrow shows the token again.
SESSION_S = 12 * 3_600
# Wrong tokens a minute, from all together: one cannot be guessed (256 bits), this keeps the log readable.
TRIES_MAX = 30
TRIES_S = 60
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class NotOurPageError(SerinusError):
    """A request that another page has made, or that came by another name."""

    code = "not_our_page"


class TooManyTriesError(SerinusError):
    code = "too_many_tries"


@dataclass(frozen=True, slots=True)
class Session:
    name: str
    sha256: str
    csrf: str
    ends_s: int


class Sessions:
    """Mutable, in memory: after a restart everybody logs in anew."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._wrong_s: deque[int] = deque(maxlen=TRIES_MAX)

    def check_tries(self, now_s: int) -> None:
        """Before a token is looked at. Raises TooManyTriesError."""
        if len(self._wrong_s) == TRIES_MAX and now_s - self._wrong_s[0] < TRIES_S:
            raise TooManyTriesError(f"{TRIES_MAX} wrong tokens within a minute", next_step="wait a minute")

    def wrong(self, now_s: int) -> None:
        self._wrong_s.append(now_s)

    def open(self, token: Token, *, key: str, csrf: str, now_s: int) -> None:
        """`key` is what the cookie holds, `csrf` what the page's own requests show: 256 random bits each."""
        self._sessions[key] = Session(token.name, token.sha256, csrf, min(token.expires_s, now_s + SESSION_S))
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)

    def close(self, key: str) -> None:
        self._sessions.pop(key, None)

    def identity(self, key: str, tokens: Iterable[Token], now_s: int) -> tuple[Identity, str] | None:
        """Whose session it is, with the role that the token has now, and its `csrf`; None: it is over, or none."""
        session = self._sessions.get(key)
        if session is None:
            return None
        token = next((one for one in tokens if (one.name, one.sha256) == (session.name, session.sha256)), None)
        if token is None or now_s >= min(session.ends_s, token.expires_s):
            self.close(key)
            return None
        return Identity("token", token.role, token.name), session.csrf


def check_host(host: str, listen_host: str) -> None:
    """A page elsewhere may lead a browser here under a name of its own (DNS rebinding), and would then read what comes
    back. Of a port on loopback only the names of loopback are right. Raises NotOurPageError."""
    name = urlsplit(f"//{host}").hostname or ""
    if listen_host.strip("[]") in LOOPBACK_NAMES and name not in LOOPBACK_NAMES:
        raise NotOurPageError(
            f"this port is not called {name[:80]!r}", next_step="open it as http://127.0.0.1 or http://localhost"
        )


def check_own(headers: Sequence[str | None], host: str, *, shown: str, csrf: str) -> None:
    """That a change comes from a page of ours: by where the browser says it is from (`Origin`, `Sec-Fetch-Site`), and
    by what only that page knows. Raises NotOurPageError."""
    origin, site = headers
    is_elsewhere = (site or "same-origin") not in ("same-origin", "none")
    if is_elsewhere or (origin is not None and urlsplit(origin).netloc != host):
        raise NotOurPageError("the request came from another page", next_step="use the buttons of this one")
    if csrf and not hmac.compare_digest(shown.encode(), csrf.encode()):
        raise NotOurPageError("the page is of an earlier session", next_step="load it again")
