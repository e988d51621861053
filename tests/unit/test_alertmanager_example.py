"""The example of an Alertmanager that tells us: Alertmanager's own tool takes it, and it leads where we listen."""

import shutil
import subprocess

from controlplane.notify.alerts_in import LABELS
from controlplane.notify.server import PATH
from controlplane.settings import ControlPlaneSettings
from tests import skips
from tests.unit.compose_file import ROOT, yaml_of

EXAMPLE = "docs/examples/alertmanager.yml"


def amtool(*arguments: str) -> str:
    found = shutil.which("amtool")
    if found is None:
        skips.skip("amtool is missing", next_step="install Debian's package prometheus-alertmanager")
    done = subprocess.run([found, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_amtool_accepts_it_and_sends_alerts_about_rollouts_to_us_and_to_people() -> None:
    assert "SUCCESS" in amtool("check-config", EXAMPLE)
    for label in ("serinus_rollout", "serinus_service"):
        told = amtool("config", "routes", "test", f"--config.file={EXAMPLE}", f"{label}=chat", "alertname=a")
        assert told.strip() == "serinus,people"
    assert amtool("config", "routes", "test", f"--config.file={EXAMPLE}", "alertname=a").strip() == "people"


def test_it_leads_where_we_listen_by_labels_that_we_read() -> None:
    document = yaml_of(EXAMPLE)
    (webhook,) = document["receivers"][1]["webhook_configs"]
    listens = ControlPlaneSettings.__dataclass_fields__["http"].default
    assert webhook["url"] == f"http://{listens}{PATH}"
    matched = {route["matchers"][0].partition("=")[0] for route in document["route"]["routes"]}
    assert matched - {"alertname"} <= set(LABELS)
