"""The stack's own behaviour with stub programs in the places of the three processes; the real ones: tests/e2e."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from controlplane.local.errors import AddressTakenError
from controlplane.local.settings import StackSettings
from controlplane.local.stack import Stack, StackError
from tests.unit.controlplane.local.stubs import StubCommands, log_text, told_to_end_ns
from tests.waiting import until

NAMES = ("controlplane", "extproc", "envoy")


def run_story(tmp_path: Path, story: Callable[[Stack], Awaitable[None]], told: list[str] | None = None) -> None:
    async def main() -> None:
        notify = told.append if told is not None else None
        async with Stack(StackSettings.ephemeral(tmp_path), commands=StubCommands(), notify=notify) as stack:
            await asyncio.wait_for(story(stack), 30)

    asyncio.run(main())


def test_all_three_run_and_the_gateway_accepts_once_started(tmp_path: Path) -> None:
    async def story(stack: Stack) -> None:
        assert len({stack.pid(name) for name in NAMES}) == 3
        host, port = stack.settings.listen.split(":")
        socket.create_connection((host, int(port))).close()
        with pytest.raises(StackError, match="sidecar is not running"):
            stack.pid("sidecar")

    run_story(tmp_path, story)


def test_a_stop_drains_envoy_then_ends_the_sidecar_then_the_control_plane(tmp_path: Path) -> None:
    async def story(stack: Stack) -> None:
        await stack.stop()
        await stack.wait()
        await stack.stop()  # again is harmless

    run_story(tmp_path, story)
    assert sorted(NAMES, key=lambda name: told_to_end_ns(tmp_path, name)) == ["envoy", "extproc", "controlplane"]
    envoy = log_text(tmp_path, "envoy")
    assert envoy.index("POST /drain_listeners?graceful") < envoy.index("told to end")


def test_a_taken_address_is_told_before_anything_starts(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            stack = Stack(StackSettings.ephemeral(tmp_path, listen=address), commands=StubCommands())
            with pytest.raises(AddressTakenError, match=f"--listen {address} cannot be bound"):
                await stack.start()

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_process_that_does_not_start_is_named_with_its_address_and_last_words(tmp_path: Path, name: str) -> None:
    async def main() -> str:
        settings = StackSettings.ephemeral(tmp_path)
        stack = Stack(settings, commands=StubCommands(fail=(name,)))
        with pytest.raises(StackError) as caught:
            await stack.start()
        for each in NAMES:
            with pytest.raises(StackError, match="is not running"):
                stack.pid(each)
        settings.check()  # all ports are free again
        return str(caught.value)

    text = asyncio.run(main())
    assert f"{name} (127.0.0.1:" in text
    assert "ended with exit code 1 before it was ready" in text
    assert f"{name} has no luck" in text
    assert f"next: read {tmp_path / 'logs' / (name + '.log')}" in text


def test_a_killed_process_comes_back_while_the_others_stay(tmp_path: Path) -> None:
    told: list[str] = []

    async def story(stack: Stack) -> None:
        before = {name: stack.pid(name) for name in NAMES}
        os.kill(before["extproc"], signal.SIGKILL)
        await until(lambda: bool(told))
        await until(lambda: stack.is_running("extproc"))
        after = {name: stack.pid(name) for name in NAMES}
        assert {name for name in NAMES if after[name] != before[name]} == {"extproc"}

    run_story(tmp_path, story, told)
    assert told == ["extproc was ended by SIGKILL; starting it again in 200 ms"]


def test_a_hand_over_starts_the_new_sidecar_before_the_old_one_is_told_to_end(tmp_path: Path) -> None:
    async def story(stack: Stack) -> None:
        old, before = stack.pid("extproc"), stack.run_dir.socket.stat().st_ino
        await stack.hand_over_sidecar()
        assert stack.pid("extproc") != old
        assert stack.run_dir.socket.stat().st_ino != before
        with pytest.raises(ProcessLookupError):
            os.kill(old, 0)
        os.kill(stack.pid("extproc"), signal.SIGKILL)  # the new one is supervised, too
        new = stack.pid("extproc")
        await until(lambda: stack.is_running("extproc") and stack.pid("extproc") != new)

    run_story(tmp_path, story)
    log = log_text(tmp_path, "extproc")
    assert log.index("here") < log.rindex("here") < log.index("told to end")


def test_there_is_no_hand_over_before_the_start_or_after_the_stop(tmp_path: Path) -> None:
    async def main() -> None:
        stack = Stack(StackSettings.ephemeral(tmp_path), commands=StubCommands())
        with pytest.raises(StackError, match="the stack is not up"):
            await stack.hand_over_sidecar()
        await stack.start()
        await stack.stop()
        with pytest.raises(StackError, match="the stack is not up"):
            await stack.hand_over_sidecar()

    asyncio.run(main())


def test_a_new_sidecar_that_fails_leaves_the_old_one_serving(tmp_path: Path) -> None:
    class FailsLater(StubCommands):
        def fail_now(self) -> None:
            self._fail = ("extproc",)

    async def main() -> None:
        commands = FailsLater()
        async with Stack(StackSettings.ephemeral(tmp_path), commands=commands) as stack:
            old = stack.pid("extproc")
            commands.fail_now()
            with pytest.raises(StackError, match="the one before goes on"):
                await stack.hand_over_sidecar()
            assert stack.pid("extproc") == old

    asyncio.run(main())


def test_wait_raises_when_a_process_is_given_up(tmp_path: Path) -> None:
    async def main() -> str:
        class DiesAgain(StubCommands):
            """Its first sidecar lives; a restart does not."""

        stack = Stack(StackSettings.ephemeral(tmp_path), commands=DiesAgain())
        async with stack:
            deadline = time.monotonic() + 30
            waiting = asyncio.create_task(stack.wait())
            while not waiting.done() and time.monotonic() < deadline:
                if stack.is_running("controlplane"):
                    os.kill(stack.pid("controlplane"), signal.SIGKILL)
                await asyncio.sleep(0.02)
            with pytest.raises(StackError) as caught:
                await waiting
            return str(caught.value)

    assert "controlplane was ended by SIGKILL, 6 times within 60 s, and is given up" in asyncio.run(main())


def test_a_second_stack_may_follow_the_first_on_the_same_state(tmp_path: Path) -> None:
    async def story(stack: Stack) -> None:
        assert stack.pid("envoy") > 0

    run_story(tmp_path, story)
    run_story(tmp_path, story)
    assert (tmp_path / "logs" / "envoy.log.1").exists()
