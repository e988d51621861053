"""What is sent is put together where it is asked for alone; without the extra that is said, with what to do."""

import subprocess
import sys
from pathlib import Path

from controlplane.engine.runner import Engine
from controlplane.otlp.app import otlp_runner
from controlplane.otlp.runner import OtlpRunner
from controlplane.settings import ControlPlaneSettings
from controlplane.store.memory import MemoryStore
from tests.unit.controlplane.engine.test_runner import Story

WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
from controlplane.app import ControlPlane
from controlplane.settings import ControlPlaneSettings
from controlplane.settings import SettingsError
from pathlib import Path
ControlPlane(ControlPlaneSettings(state_dir=Path(sys.argv[1])))
try:
    ControlPlane(ControlPlaneSettings(state_dir=Path(sys.argv[1]), otlp="http://127.0.0.1:4318"))
except SettingsError as error:
    print(error)
"""


def asked(settings: ControlPlaneSettings) -> OtlpRunner | None:
    story = Story(MemoryStore())
    engine: Engine = story.engine
    return otlp_runner(settings, engine, story.exporter, text=bytes, is_leading=lambda: True)


def test_nothing_is_sent_unless_somebody_is_named(tmp_path: Path) -> None:
    assert asked(ControlPlaneSettings(state_dir=tmp_path)) is None
    headers = tmp_path / "headers"
    headers.write_text("authorization: Bearer tok\n", encoding="utf-8")
    settings = ControlPlaneSettings(state_dir=tmp_path, otlp="http://127.0.0.1:4318", otlp_headers=headers)
    assert isinstance(asked(settings), OtlpRunner)


def test_without_the_extra_all_else_works_and_the_flag_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("--otlp needs opentelemetry")
    assert "next: pip install 'serinus[otlp]'" in done.stdout
