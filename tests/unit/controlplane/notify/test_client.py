"""Mails through a real SMTP server on loopback: in clear, by STARTTLS, with a login; and servers that are none."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from email import message_from_bytes
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from controlplane.clock import SystemClock
from controlplane.engine.hooks.calls import HookReply, NoHooks
from controlplane.manifest.notify import Email
from controlplane.notify import payload
from controlplane.notify.client import Sender
from controlplane.notify.message import MailCall
from controlplane.security.ca import issue_server, make_authority
from tests.ports import free_port
from tests.unit.controlplane.notify.samples import notice


class Mailbox:
    """What an SMTP server was given; it refuses recipients as it is told."""

    def __init__(self, refuses: dict[str, str] | None = None) -> None:
        self.envelopes: list[Envelope] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self._refuses = refuses or {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        if address in self._refuses:
            return self._refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 taken"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"pass:word", handled=False)


@contextlib.asynccontextmanager
async def served(box: Mailbox, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    def session() -> SMTP:
        return SMTP(box, authenticator=box.authenticate, hostname="mail.test", **options)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def call(port: int, login: tuple[str, str] | None = None, ca: str | None = None, **fields: Any) -> MailCall:
    to = fields.pop("to", ["ops@example.com"])
    email = Email.model_validate({"to": to, "from": "serinus@example.com", "server": f"127.0.0.1:{port}", **fields})
    return MailCall(email, payload.mail(email, notice(text="so\n.\nend\n.dots")), login, ca)


async def sent(what: MailCall, mail_s: float = 10.0) -> HookReply:
    return await Sender(NoHooks(), mail_s=mail_s).send(what)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ssl.SSLContext]:
    """A CA's certificate, and a server with one of it for 127.0.0.1."""
    folder, now_ms = tmp_path_factory.mktemp("ca"), SystemClock().now_ms()
    ca = make_authority(now_ms=now_ms, days=2)
    issued = issue_server(ca, hosts=(), now_ms=now_ms)
    (folder / "cert.pem").write_bytes(issued.cert_pem)
    (folder / "key.pem").write_bytes(issued.key_pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return ca.issued.cert_pem.decode(), context


def test_a_mail_arrives_whole_also_with_lines_of_dots() -> None:
    async def run() -> None:
        box = Mailbox()
        async with served(box) as port:
            assert await sent(call(port)) == HookReply(250, "")
        (envelope,) = box.envelopes
        assert (envelope.mail_from, envelope.rcpt_tos) == ("serinus@example.com", ["ops@example.com"])
        assert isinstance(envelope.content, bytes)
        assert message_from_bytes(envelope.content).get_payload().startswith("so\r\n.\r\nend\r\n.dots\r\nv2 over v1")

    asyncio.run(run())


def test_mail_goes_by_starttls_with_a_login_to_a_server_that_its_ca_knows(
    authority: tuple[str, ssl.SSLContext],
) -> None:
    async def run() -> None:
        ca, context = authority
        box, secret = Mailbox(), ("ada", "pass:word")
        async with served(box, tls_context=context, require_starttls=True) as port:
            assert await sent(call(port, secret, ca, tls="starttls")) == HookReply(250, "")
            assert box.logins == [(b"ada", b"pass:word")]
            wrong = await sent(call(port, ("ada", "hunter22"), ca, tls="starttls"))
            assert wrong == HookReply(400, "535 the login is not taken")
            unknown = await sent(call(port, secret, None, tls="starttls"))
            assert unknown.text.startswith("its certificate is not good: ")
        assert len(box.envelopes) == 1
        async with served(box, tls=context, auth_require_tls=False) as port:
            assert await sent(call(port, secret, ca, tls="implicit")) == HookReply(250, "")

    asyncio.run(run())


def test_a_server_without_tls_gets_no_mail_that_wants_it() -> None:
    async def run() -> None:
        box = Mailbox()
        async with served(box) as port:
            reply = await sent(call(port, ("ada", "pass:word"), tls="starttls"))
        assert reply == HookReply(503, "0 it offers no STARTTLS, and mail does not go in clear")
        assert (box.envelopes, box.logins) == ([], [])

    asyncio.run(run())


def test_one_recipient_that_is_refused_costs_the_others_nothing() -> None:
    async def run() -> None:
        box = Mailbox({"gone@example.com": "550 no such user", "busy@example.com": "451 later"})
        async with served(box) as port:
            reply = await sent(call(port, to=["gone@example.com", "ops@example.com"]))
            assert reply == HookReply(250, "not to gone@example.com")
            assert await sent(call(port, to=["gone@example.com"])) == HookReply(400, "550 no such user")
            assert await sent(call(port, to=["busy@example.com"])) == HookReply(503, "451 later")
        assert [each.rcpt_tos for each in box.envelopes] == [["ops@example.com"]]

    asyncio.run(run())


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"220-more to come\r\n")
        await asyncio.sleep(0)


async def speaks_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await reader.read()


async def has_a_long_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 " + b"x" * 1_000_000)
    await reader.read()


async def is_closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"421 too busy\r\n")
    await reader.read()


async def talks_before_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 hi\r\n")
    await reader.readline()
    writer.write(b"250-hi\r\n250 STARTTLS\r\n")
    await reader.readline()
    writer.write(b"220 go\r\n250 AUTH PLAIN\r\n")
    await reader.read()


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (says_nothing, HookReply(0, "none within 0.3 s")),
        (drips, HookReply(0, "the conversation broke: EOFError")),
        (speaks_http, HookReply(0, "the conversation broke: EOFError")),
        (has_a_long_line, HookReply(0, "the conversation broke: ValueError")),
        (is_closing, HookReply(503, "421 too busy")),
        (talks_before_tls, HookReply(503, "0 it sent more in clear than its answer to STARTTLS")),
    ],
)
def test_a_server_that_is_none_costs_a_bounded_time_and_is_told_in_words(answer: Answer, reply: HookReply) -> None:
    async def run() -> None:
        over = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await answer(reader, writer)
            writer.transport.abort()
            over.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            tls = {"tls": "starttls"} if answer is talks_before_tls else {}
            assert await sent(call(port, ("ada", "pass:word"), **tls), mail_s=0.3) == reply
            await over.wait()

    asyncio.run(run())


def test_nobody_there_is_told() -> None:
    reply = asyncio.run(sent(call(free_port())))
    assert reply.text.startswith("cannot connect")
