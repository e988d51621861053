"""Applies to every test: skips are counted and listed at the end of the run (see `skips.py`)."""

import hypothesis
import pytest

# An example takes as long as it takes: on a busy machine 20 ms have become 400.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line with the number of skips, also when it is 0, and one line for each."""
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.write_line(f"skips: {len(skipped)}", yellow=bool(skipped))
    for report in skipped:
        terminalreporter.write_line(f"  skipped {report.nodeid}: {skip_reason(report.longrepr)}", yellow=True)


def skip_reason(longrepr: object) -> str:
    """The reason without pytest's `Skipped: ` and without the file it was raised in."""
    text = longrepr[2] if isinstance(longrepr, tuple) else longrepr
    return str(text).removeprefix("Skipped: ")
