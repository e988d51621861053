"""Over real HTTP: what is tried again, what is refused, and that no credential is in a fault."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from controlplane.otlp.client import OtlpClient, Outcome, Reply, read_headers
from controlplane.settings import ControlPlaneSettings, SettingsError
from tests.ports import free_port


async def answered(status: int, delay_s: float = 0.0) -> tuple[Reply, dict[str, str], str, bytes]:
    seen: list[tuple[dict[str, str], str, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((dict(request.headers), request.path, await request.read()))
        await asyncio.sleep(delay_s)
        return web.Response(status=status, body=b"said", headers={"location": "/elsewhere"} if status == 302 else {})

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    client = OtlpClient(f"http://127.0.0.1:{port}/base/", {"authorization": "Bearer tok"}, timeout_s=0.5)
    try:
        reply = await client.send("traces", b"body")
    finally:
        await runner.cleanup()
    ((headers, path, body),) = seen
    return reply, {name.lower(): value for name, value in headers.items()}, path, body


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.TAKEN),
        (302, Outcome.REFUSED),
        (400, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (500, Outcome.REFUSED),
    ]
    + [(status, Outcome.AGAIN) for status in (429, 502, 503, 504)],
)
def test_only_what_the_specification_names_is_tried_again(status: int, outcome: Outcome) -> None:
    reply, headers, path, body = asyncio.run(answered(status))
    assert reply.outcome is outcome
    assert reply.body == (b"said" if status == 200 else b"")
    assert (path, body) == ("/base/v1/traces", b"body")
    assert headers["authorization"] == "Bearer tok"
    assert headers["content-type"] == "application/x-protobuf"
    assert "tok" not in reply.fault


def test_who_is_silent_or_away_is_tried_again() -> None:
    reply, *_ = asyncio.run(answered(200, delay_s=1.0))
    assert reply == Reply(Outcome.AGAIN, "no answer within 0.5 s")
    away = asyncio.run(OtlpClient(f"http://127.0.0.1:{free_port()}", {}).send("metrics", b""))
    assert away.outcome is Outcome.AGAIN
    assert away.fault


def test_headers_come_from_a_file_and_faults_show_no_value(tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text("Authorization: Bearer a:b\n\nx-tenant:  one \n", encoding="utf-8")
    assert read_headers(path) == {"authorization": "Bearer a:b", "x-tenant": "one"}
    for wrong in ("Bearer secret", "two words: secret", "x: sec\x01ret", "x: secrét"):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(SettingsError, match="line 1: no header") as caught:
            read_headers(path)
        assert "sec" not in str(caught.value).replace(str(path), "")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_headers(tmp_path / "none")


@pytest.mark.parametrize(
    "url", ["localhost:4318", "ftp://x", "http://", "http://ada:secret@x:4318", "http://x/?q=1", "http://[x"]
)
def test_an_address_that_is_none_is_refused_without_being_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="--otlp is no address") as caught:
        ControlPlaneSettings(state_dir=tmp_path, otlp=url)
    assert "secret" not in str(caught.value)


def test_a_credential_does_not_go_out_in_the_clear(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    with pytest.raises(SettingsError, match="in the clear"):
        ControlPlaneSettings(state_dir=tmp_path, otlp="http://collector:4318", otlp_headers=headers)
    for url in ("http://127.0.0.1:4318", "http://[::1]:4318", "https://collector:4318"):
        assert ControlPlaneSettings(state_dir=tmp_path, otlp=url, otlp_headers=headers).otlp == url
    assert ControlPlaneSettings(state_dir=tmp_path, otlp="http://collector:4318").otlp_headers is None
