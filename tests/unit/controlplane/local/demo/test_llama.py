"""The real model server: its command line, and what a machine that cannot run it is told."""

import itertools
from pathlib import Path

import pytest

from controlplane.local.demo import llama
from controlplane.local.demo.errors import ModelServerError


def test_this_kind_of_machine_can_run_it() -> None:
    llama.check_machine("Linux", "x86_64", ("glibc", "2.35"))
    llama.check_machine("Linux", "AMD64", ("glibc", "2.40.1"))


@pytest.mark.parametrize(
    ("system", "machine", "libc", "named"),
    [
        ("Darwin", "arm64", ("", ""), "this is Darwin on arm64"),
        ("Linux", "aarch64", ("glibc", "2.36"), "this is Linux on aarch64"),
        ("Linux", "x86_64", ("glibc", "2.31"), "here is glibc 2.31"),
        ("Linux", "x86_64", ("glibc", "odd"), "here is glibc odd"),
        ("Linux", "x86_64", ("", ""), "here is another libc"),
    ],
)
def test_another_machine_is_told_what_it_lacks_and_what_to_run_instead(
    system: str, machine: str, libc: tuple[str, str], named: str
) -> None:
    with pytest.raises(ModelServerError) as caught:
        llama.check_machine(system, machine, libc)
    assert named in str(caught.value)
    assert "serinus demo --simulated" in str(caught.value)


def test_the_broken_server_differs_by_its_chat_template_alone() -> None:
    def command(*, broken: bool) -> tuple[str, ...]:
        return llama.command(Path("s"), Path("m.gguf"), alias="chat-v2", host="127.0.0.1", port=8001, broken=broken)

    assert command(broken=True) == (*command(broken=False), "--chat-template", "llama2")


def test_the_server_uses_one_thread_no_device_and_loopback() -> None:
    argv = llama.command(Path("s"), Path("m.gguf"), alias="a", host="127.0.0.1", port=8001, broken=False)
    pairs = dict(itertools.pairwise(argv))
    assert (pairs["-t"], pairs["-np"], pairs["--device"]) == ("1", "2", "none")
    assert (pairs["--host"], pairs["--port"], pairs["-m"]) == ("127.0.0.1", "8001", "m.gguf")
