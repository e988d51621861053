"""The only way to skip a test: loud, counted, and with what to do about it.

A skip is printed when it happens, and again as a counted list at the end of the run (`conftest.py`), so that a green
run cannot hide that half of it never ran.
"""

import sys
from typing import NoReturn

import pytest


def skip(reason: str, *, next_step: str) -> NoReturn:
    """Skip the running test. `reason`: what this machine lacks; `next_step`: how to make the test run."""
    message = f"{reason}; next: {next_step}"
    print(f"SKIP: {message}", file=sys.stderr)
    pytest.skip(message)
