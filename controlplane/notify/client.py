"""Makes one attempt: HTTP as hooks do it, or a mail by SMTP (RFC 5321), with STARTTLS (3207) and AUTH (4954).

Python's own smtplib blocks, and cannot be ended by somebody else's timeout; what a mail needs of SMTP is this much.
"""

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import Iterator

from controlplane.engine.hooks.calls import HookCall, HookCaller, HookReply
from controlplane.manifest.notify import MailTls
from controlplane.notify.message import MailCall

# A whole mail, a dozen lines to and fro; RFC 5321 would wait for minutes at each.
MAIL_S = 30.0
# RFC 5321 4.5.3.1.5: 512 bytes.
LINE_BYTES_MAX = 2_048
# EHLO names a dozen extensions.
LINES_MAX = 100
_REPLY = re.compile(rb"([2-5][0-9]{2})([ -]?)(.*)")


class _RefusedError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(code)
        self.code, self.text = code, text


class Sender:
    """Never raises for what a receiver or the network does."""

    def __init__(self, http: HookCaller, *, mail_s: float = MAIL_S) -> None:
        self._http, self._mail_s = http, mail_s

    async def send(self, call: HookCall | MailCall) -> HookReply:
        if isinstance(call, HookCall):
            return await self._http.call(call)
        try:
            async with asyncio.timeout(self._mail_s):
                return HookReply(250, await _send_mail(call))
        except TimeoutError:
            return HookReply(0, f"none within {self._mail_s:g} s")
        except _RefusedError as refused:
            # A 5yz of SMTP is for good, as a 4xx of HTTP is; a 4yz passes.
            return HookReply(400 if 500 <= refused.code < 600 else 503, f"{refused.code} {refused.text}")
        except ssl.SSLCertVerificationError as error:
            return HookReply(0, f"its certificate is not good: {error.verify_message}")
        except ssl.SSLError as error:
            return HookReply(0, f"no TLS: {error.reason}")
        except (OSError, EOFError, ValueError) as error:
            told = error.strerror if isinstance(error, OSError) else None
            return HookReply(
                0, f"cannot connect: {told}" if told else f"the conversation broke: {type(error).__name__}"
            )


async def _send_mail(call: MailCall) -> str:
    """Returns what is to be said of a mail that was taken: who of many does not get it."""
    email = call.email
    context = ssl.create_default_context(cadata=call.ca) if email.transport is not MailTls.OFF else None
    is_implicit = email.transport is MailTls.IMPLICIT
    reader, writer = await asyncio.open_connection(
        email.host, email.port, ssl=context if is_implicit else None, limit=LINE_BYTES_MAX
    )
    try:
        talk = _Talk(reader, writer)
        await talk.ask(None, 220)
        offers = await talk.hello()
        if email.transport is MailTls.STARTTLS:
            if "STARTTLS" not in offers:
                raise _RefusedError(0, "it offers no STARTTLS, and mail does not go in clear")
            await talk.ask("STARTTLS", 220)
            await talk.require_silence()
            await writer.start_tls(context, server_hostname=email.host)  # type: ignore[arg-type]
            offers = await talk.hello()
        if call.login is not None:
            await talk.login(call.login, offers.get("AUTH", ""))
        refused = await talk.envelope(email.sender, email.to)
        await talk.content(call.message)
        with contextlib.suppress(_RefusedError):
            await talk.ask("QUIT", 221)
        return f"not to {', '.join(refused)}" if refused else ""
    finally:
        writer.transport.abort()


class _Talk:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, line: str | None, *good: int) -> list[str]:
        """The answer's lines. Raises _RefusedError for any other code."""
        if line is not None:
            self._writer.write(line.encode("ascii") + b"\r\n")
            await self._writer.drain()
        lines: list[str] = []
        for _ in range(LINES_MAX):
            raw = await self._reader.readline()
            found = _REPLY.fullmatch(raw.rstrip(b"\r\n"))
            if not raw.endswith(b"\n") or found is None:
                raise EOFError
            lines.append(found[3].decode("ascii", "replace"))
            if found[2] != b"-":
                break
        else:
            raise EOFError
        if int(found[1] if found else 0) not in good:
            raise _RefusedError(int(found[1]) if found else 0, " ".join(lines))
        return lines

    async def require_silence(self) -> None:
        """What came in clear after the answer to STARTTLS would be read as if it had come by TLS."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                if await self._reader.read(1):
                    raise _RefusedError(0, "it sent more in clear than its answer to STARTTLS")

    async def hello(self) -> dict[str, str]:
        """What the server offers. An address literal is a good name for a client without one (RFC 5321 4.1.4)."""
        sockname = self._writer.get_extra_info("sockname") or ("127.0.0.1",)
        literal = f"[IPv6:{sockname[0]}]" if ":" in sockname[0] else f"[{sockname[0]}]"
        lines = await self.ask(f"EHLO {literal}", 250)
        return {key.upper(): more for key, _, more in (line.partition(" ") for line in lines[1:])}

    async def login(self, login: tuple[str, str], offered: str) -> None:
        user, password = login
        ways = offered.upper().split()
        try:
            if "PLAIN" in ways:
                await self.ask(f"AUTH PLAIN {_base64(f'{chr(0)}{user}{chr(0)}{password}')}", 235)
            elif "LOGIN" in ways:
                await self.ask("AUTH LOGIN", 334)
                await self.ask(_base64(user), 334)
                await self.ask(_base64(password), 235)
            else:
                raise _RefusedError(0, "it takes no login by PLAIN or LOGIN")
        except _RefusedError as error:
            # Its own words might repeat what it was sent, in whatever coding.
            raise _RefusedError(error.code, "the login is not taken" if error.code else error.text) from None

    async def envelope(self, sender: str, recipients: tuple[str, ...]) -> list[str]:
        """Who does not get it. Raises _RefusedError if that is everybody."""
        await self.ask(f"MAIL FROM:<{sender}>", 250)
        refused: dict[str, _RefusedError] = {}
        for each in recipients:
            try:
                await self.ask(f"RCPT TO:<{each}>", 250, 251)
            except _RefusedError as error:
                refused[each] = error
        if len(refused) == len(recipients):
            raise next(iter(refused.values()))
        return list(refused)

    async def content(self, message: bytes) -> None:
        await self.ask("DATA", 354)
        self._writer.writelines(_stuffed(message))
        self._writer.write(b".\r\n")
        await self.ask(None, 250)


def _stuffed(message: bytes) -> Iterator[bytes]:
    """A line that begins with a dot gets another (RFC 5321 4.5.2): alone it would end the mail."""
    for line in message.splitlines():
        yield (b"." if line.startswith(b".") else b"") + line + b"\r\n"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
