"""What README, Makefile and CI promise each other."""

import os
import re

import pytest

from tests.house import tree

MAKEFILE = (tree.ROOT / "Makefile").read_text(encoding="utf-8")
README = (tree.ROOT / "README.md").read_text(encoding="utf-8")
CI = tree.ROOT / ".ci/run"
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
PROMISED = [
    "help",
    "install",
    "demo",
    "demo-simulated",
    "test",
    "test-llm",
    "test-demo",
    "check",
    "lint",
    "types",
    "e2e",
    "proto",
    "clean",
]


@pytest.mark.parametrize("target", PROMISED)
def test_the_makefile_has_the_target_and_explains_it(target: str) -> None:
    assert re.search(rf"^{target}:.* ## \S", MAKEFILE, re.MULTILINE), f"next: add `{target}: … ## what it does`"


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_readme_shows_the_command_in_a_block(command: str) -> None:
    assert re.search(rf"^{command}\b", README, re.MULTILINE), f"README.md does not show `{command}`; next: put it back"


def test_every_make_target_that_the_documents_name_exists() -> None:
    named = {
        target
        for path in (tree.ROOT / "README.md", *sorted((tree.ROOT / "docs").rglob("*.md")))
        for target in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named <= TARGETS, f"no target {sorted(named - TARGETS)}; next: add it, or correct the text"


def test_ci_runs_every_test_in_a_fresh_environment() -> None:
    text = CI.read_text(encoding="utf-8")
    assert os.access(CI, os.X_OK), "next: chmod +x .ci/run"
    assert [
        target for target in ("test", "test-llm", "test-demo", "sim") if not re.search(rf"\bmake\b.*\b{target}\b", text)
    ] == []
    assert "VENV=" in text, "next: give make a VENV of its own, so that no leftover on the machine can make it pass"


def test_every_link_of_the_documents_leads_to_a_file() -> None:
    documents = [tree.ROOT / "README.md", *sorted((tree.ROOT / "docs").rglob("*.md"))]
    broken = [
        f"{tree.name_of(path)}: {target}"
        for path in documents
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert not broken, f"{broken}; next: correct the link or add the file"
