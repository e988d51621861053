"""Files under one directory and units that are let through become counts; what may not be followed says why."""

import asyncio
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from controlplane.signals.logs.book import LogBook, LogPlace, LogTarget
from controlplane.signals.logs.runner import NO_FILES, NO_UNITS, LogRunner
from tests.skips import skip
from tests.waiting import until

PATTERNS = (("oom", "out of memory"),)
FILE = LogTarget(LogPlace("chat", "v2", "v2.log"), False, PATTERNS)
UNIT = LogTarget(LogPlace("chat", "v2", "llama-v2.service"), True, PATTERNS)
WRITER = Path("/lib/systemd/systemd-journal-remote")


def lines_of(book: LogBook) -> int:
    return book.of("chat", "v2", 0).lines.get("oom", 0)


def test_a_file_is_counted_from_the_moment_that_it_is_followed(tmp_path: Path) -> None:
    path, book, wanted = tmp_path / "v2.log", LogBook(), [FILE]
    path.write_bytes(b"out of memory, long ago\n")
    runner = LogRunner(book, lambda: wanted, lambda: 5_000, directory=tmp_path, units=())

    async def looks() -> None:
        await runner.look()
        with path.open("ab") as file:
            file.write(b"CUDA: out of memory\nfine\nout of mem")
            file.flush()
            await runner.look()
            assert lines_of(book) == 1
            file.write(b"ory\n")
        await runner.look()
        assert lines_of(book) == 2
        assert book.of("chat", "v2", 5_000).followed == 1
        wanted.clear()
        await runner.look()
        assert book.of("chat", "v2", 5_000).sources == 0

    asyncio.run(looks())


def test_without_a_directory_and_a_glob_nothing_is_opened_and_that_is_said(tmp_path: Path) -> None:
    book = LogBook()
    runner = LogRunner(book, lambda: (FILE, UNIT), lambda: 0, directory=None, units=("vllm-*",), journalctl=("false",))
    asyncio.run(runner.look())
    assert book.of("chat", "v2", 0).faults == (f"llama-v2.service: {NO_UNITS}", f"v2.log: {NO_FILES}")


def test_a_changed_pattern_counts_from_now_on(tmp_path: Path) -> None:
    book, targets = LogBook(), [FILE]
    (tmp_path / "v2.log").write_bytes(b"")
    runner = LogRunner(book, lambda: targets, lambda: 0, directory=tmp_path, units=())

    async def looks() -> None:
        await runner.look()
        targets[:] = [LogTarget(FILE.place, False, (("oom", "no space"),))]
        await runner.look()
        (tmp_path / "v2.log").write_bytes(b"no space left\nout of memory\n")
        await runner.look()
        assert lines_of(book) == 1

    asyncio.run(looks())


@pytest.mark.parametrize("command", [("false",), ("/does/not/exist",)])
def test_a_reader_that_ends_or_is_not_there_is_a_fault(command: tuple[str, ...]) -> None:
    book = LogBook()
    runner = LogRunner(book, lambda: (UNIT,), lambda: 0, directory=None, units=("llama-*",), journalctl=command)

    async def fault() -> None:
        task = asyncio.create_task(runner.run())
        await until(lambda: any("ended" in each or "started" in each for each in book.of("chat", "v2", 0).faults))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(fault())


class Journal:
    """A journal of its own, written by systemd's writer for remote ones, as of this boot: `--follow` shows no other."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")

    def write(self, unit: str, message: str) -> None:
        fields = {
            "__REALTIME_TIMESTAMP": str(time.time_ns() // 1_000),
            "__MONOTONIC_TIMESTAMP": str(time.monotonic_ns() // 1_000),
            "_BOOT_ID": self._boot,
            "_SYSTEMD_UNIT": unit,
            "MESSAGE": message,
        }
        text = "".join(f"{name}={value}\n" for name, value in fields.items()) + "\n"
        command = [str(WRITER), "-o", str(self.directory / "x.journal"), "-"]
        subprocess.run(command, input=text.encode(), check=True, capture_output=True, timeout=30)


def test_a_unit_of_a_real_journal_is_counted(tmp_path: Path) -> None:
    if shutil.which("journalctl") is None or not WRITER.exists():
        skip("no journalctl, or no systemd-journal-remote", next_step="apt-get install systemd-journal-remote")
    journal, book = Journal(tmp_path), LogBook()
    journal.write("llama-v2.service", "out of memory, long ago")
    command = ("journalctl", "--directory", str(tmp_path))
    runner = LogRunner(book, lambda: (UNIT,), lambda: 0, directory=None, units=("llama-*",), journalctl=command)

    async def follow() -> None:
        task = asyncio.create_task(runner.run())
        await until(lambda: book.of("chat", "v2", 0).followed == 1, deadline_s=30)
        for unit in ("llama-v2.service", "llama-v1.service", "llama-v2.service"):
            await asyncio.to_thread(journal.write, unit, "CUDA error: out of memory")
        await until(lambda: lines_of(book) == 2, deadline_s=30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(follow())
    assert lines_of(book) == 2, "of its unit alone, and not what was there before"
