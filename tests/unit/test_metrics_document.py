"""docs/metrics.md and the README name the metrics that exist, with their types and labels: all of them, and no other."""

import re

from controlplane.notify.alerts_in import LABELS
from controlplane.telemetry.catalogue import CATALOGUE
from extproc.telemetry.catalogue import Catalogue
from extproc.telemetry.tables import Histogram
from tests.unit.compose_file import ROOT

ROW = re.compile(r"^\| `(serinus_\w+)` \| (\w+) \| ([^|]*)\|", re.MULTILINE)


def existing() -> dict[str, tuple[str, set[str]]]:
    """name -> (type, labels), of both planes."""
    control = {metric.name: (str(metric.kind), set(metric.labels)) for metric in CATALOGUE}
    tables = Catalogue().tables()
    return control | {
        table.metric.name: ("histogram" if isinstance(table, Histogram) else "counter", set(table.metric.labels))
        for table in tables
    }


def test_the_document_lists_every_metric_with_its_type_and_labels() -> None:
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    listed = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in ROW.findall(text)}
    assert listed == existing(), "next: correct the table in docs/metrics.md"


def test_no_document_names_a_metric_that_does_not_exist() -> None:
    known = existing()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        named = set(re.findall(r"\bserinus_[a-z_]+\b", path.read_text(encoding="utf-8")))
        bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
        strangers = sorted(bases - set(known) - set(LABELS))
        assert not strangers, f"{path.name}: {strangers} do not exist"
