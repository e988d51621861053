import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from controlplane.local.errors import StackError
from controlplane.local.processes import Child, ChildSpec, describe_exit
from controlplane.local.restart import RestartPolicy
from tests.waiting import until

QUICK = RestartPolicy(restarts_max=2, pause_ms_min=10, pause_ms_max=20)
SLEEP = "import time; print('here', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"


def spec(tmp_path: Path, program: str, *, again: str | None = None, grace_ms: int = 5_000) -> ChildSpec:
    argv_again = (sys.executable, "-c", again) if again is not None else None
    return ChildSpec(
        "child", (sys.executable, "-c", program), tmp_path / "child.log", argv_again=argv_again, grace_ms=grace_ms
    )


async def until_said(log: Path, text: str) -> None:
    await until(lambda: log.exists() and text in log.read_text())


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_child_runs_in_a_process_group_of_its_own_and_writes_to_its_log(tmp_path: Path) -> None:
    async def story() -> None:
        child = Child(spec(tmp_path, SLEEP))
        await child.start()
        await until_said(tmp_path / "child.log", "here")
        assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
        assert await child.stop() == -signal.SIGTERM
        assert await child.stop() == -signal.SIGTERM  # again is harmless
        with pytest.raises(StackError, match="child is not running"):
            _ = child.pid

    asyncio.run(story())


def test_a_child_killed_from_outside_is_started_again_with_its_second_command_line(tmp_path: Path) -> None:
    told: list[str] = []

    async def story() -> None:
        child = Child(spec(tmp_path, SLEEP, again=SLEEP.replace("here", "again")), policy=QUICK, notify=told.append)
        await child.start()
        child.supervise()
        await until_said(tmp_path / "child.log", "here")
        before = child.pid
        os.kill(before, signal.SIGKILL)
        await until_said(tmp_path / "child.log", "again")
        assert child.pid != before
        assert child.restarts == 1
        await child.stop()
        assert not is_running(before)
        assert not child.given_up.done()

    asyncio.run(story())
    assert told == ["child was ended by SIGKILL; starting it again in 10 ms"]


def test_a_child_that_keeps_dying_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    async def story() -> StackError:
        child = Child(spec(tmp_path, "import sys; sys.exit('no model here')"), policy=QUICK)
        await child.start()
        child.supervise()
        error = await asyncio.wait_for(child.given_up, 20)
        assert child.restarts == 2
        await child.stop()
        return error

    text = str(asyncio.run(story()))
    assert "child ended with exit code 1, 3 times within 60 s, and is given up" in text
    assert "no model here" in text
    assert f"next: read {tmp_path / 'child.log'}" in text


def test_a_child_that_ignores_being_told_is_killed_after_its_grace(tmp_path: Path) -> None:
    told: list[str] = []

    async def story() -> int | None:
        child = Child(spec(tmp_path, STUBBORN, grace_ms=100), notify=told.append)
        await child.start()
        child.supervise()
        await until_said(tmp_path / "child.log", "here")
        return await child.stop()

    assert asyncio.run(story()) == -signal.SIGKILL
    assert told == ["child did not end within 0.1 s and is killed"]


def test_a_stop_during_the_pause_before_a_restart_starts_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        child = Child(spec(tmp_path, "print('here')"), policy=RestartPolicy(pause_ms_min=60_000, pause_ms_max=60_000))
        await child.start()
        child.supervise()
        await child.wait_ended()
        await asyncio.sleep(0.05)
        started = time.monotonic()
        assert await child.stop() == 0
        assert time.monotonic() - started < 5

    asyncio.run(story())
    assert (tmp_path / "child.log").read_text().count("here") == 1


def test_a_program_that_does_not_exist_is_a_typed_error(tmp_path: Path) -> None:
    async def story() -> None:
        missing = ChildSpec("envoy", (str(tmp_path / "no"),), tmp_path / "log")
        with pytest.raises(StackError, match=r"envoy cannot be run: .*no program"):
            await Child(missing).start()

    asyncio.run(story())


def test_a_child_is_never_spawned_outside_the_main_thread(tmp_path: Path) -> None:
    errors: list[StackError] = []

    async def story() -> None:
        with pytest.raises(StackError, match="must be started from the main thread") as caught:
            await Child(spec(tmp_path, SLEEP)).start()
        errors.append(caught.value)

    thread = threading.Thread(target=lambda: asyncio.run(story()))
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from controlplane.local.processes import Child, ChildSpec\n"
        "async def main():\n"
        f"    child = Child(ChildSpec('child', (sys.executable, '-c', {SLEEP!r}), Path({str(tmp_path / 'log')!r})))\n"
        "    await child.start(); print(child.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        asyncio.run(until_said(tmp_path / "log", "here"))
        assert is_running(pid)
        process.kill()
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("code", "text"),
    [(3, "ended with exit code 3"), (-9, "was ended by SIGKILL"), (-250, "was ended by signal 250")],
)
def test_an_exit_is_described_in_words(code: int, text: str) -> None:
    assert describe_exit(code) == text
