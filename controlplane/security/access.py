"""Bearer tokens of people and programs: made once, shown once, kept as a hash. Pure: randomness and time are arguments.

A token is `srn_NAME_SECRET` with 256 random bits. Nobody can guess one from its SHA-256, so a slow hash and a salt
would only cost time: what they protect are passwords. Each line of the file is `NAME ROLE HASH EXPIRES_S`.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.security.errors import TokenFileError, UnauthenticatedError
from controlplane.security.identity import Identity
from controlplane.security.roles import ROLES_BY_WORD

SECRET_BYTES = 32
# Each call is held against every line, some 0.3 us each. A fleet with more people than this has certificates.
TOKENS_MAX = 1_000
FILE_BYTES_MAX = 256 * 1024  # a thousand lines of 250 characters
_TOKEN_CHARS_MAX = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.@-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_HEAD = "# Access tokens of `serinus controlplane --tokens`: name, role, SHA-256, end (Unix time).\n"


@dataclass(frozen=True, slots=True)
class Token:
    """What the file keeps of a token: never the token."""

    name: str
    role: str
    sha256: str
    expires_s: int

    def __repr__(self) -> str:
        return f"Token({self.name!r}, {self.role!r})"  # a hash has no business in a log either


def mint(name: str, role: str, *, secret: bytes, expires_s: int) -> tuple[str, Token]:
    """The token, and what is kept of it. Raises TokenFileError for a name or role that is none."""
    if not _NAME.fullmatch(name):
        raise TokenFileError(
            f"{name[:80]!r} is no name of a token", next_step="letters, digits, . @ and -, at most 64 of them"
        )
    if role not in ROLES_BY_WORD:
        raise TokenFileError(f"no role {role[:80]!r}", next_step=f"one of {', '.join(ROLES_BY_WORD)}")
    text = f"srn_{name}_{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"
    return text, Token(name, role, _sha256(text), expires_s)


def parse(text: str, *, where: str) -> tuple[Token, ...]:
    """The tokens of a file. Raises TokenFileError naming the line."""
    tokens = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split()
        if (
            len(fields) != 4
            or not _NAME.fullmatch(fields[0])
            or fields[1] not in ROLES_BY_WORD
            or not _HASH.fullmatch(fields[2])
            or not re.fullmatch(r"[0-9]{1,12}", fields[3])
        ):
            raise TokenFileError(
                f"{where}:{number} is not `NAME ROLE HASH EXPIRES_S`", next_step="write it by `serinus access add`"
            )
        tokens.append(Token(fields[0], fields[1], fields[2], int(fields[3])))
    names = [token.name for token in tokens]
    if len(set(names)) < len(names):
        raise TokenFileError(f"{where} names a token twice", next_step="`serinus access remove` one of them")
    if len(tokens) > TOKENS_MAX:
        raise TokenFileError(
            f"{where} has more than {TOKENS_MAX} tokens", next_step="remove those that have ended, or use certificates"
        )
    return tuple(tokens)


def render(tokens: Iterable[Token]) -> str:
    """The file's text."""
    return _HEAD + "".join(f"{token.name} {token.role} {token.sha256} {token.expires_s}\n" for token in tokens)


def identify(header: str, tokens: Iterable[Token], *, now_s: int) -> Identity:
    """Whose token an `authorization` header holds. Raises UnauthenticatedError.

    Every line is compared, in constant time each: how long it takes tells nothing of which one was nearly right.
    """
    scheme, _, text = header.partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text or len(text) > _TOKEN_CHARS_MAX:
        raise UnauthenticatedError(
            "the authorization header holds no bearer token", next_step="send `authorization: Bearer TOKEN`"
        )
    shown, found = _sha256(text), None
    for token in tokens:
        if hmac.compare_digest(token.sha256, shown):
            found = token
    if found is None:
        raise UnauthenticatedError(
            "the token is not known here", next_step="ask for one of `serinus access add`; an old one may be removed"
        )
    if found.expires_s <= now_s:
        raise UnauthenticatedError(
            f"the token {found.name} has ended",
            next_step=f"make a new one: serinus access add {found.name} --replace",
        )
    return Identity("token", found.role, found.name)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
