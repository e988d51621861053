"""What no file may say. The rules are tried on decoys first: a rule that finds nothing must be one that can."""

import pytest

from tests.house import text_rules, tree
from tests.house.text_rules import Rule

DOT = "."
DECOYS: list[tuple[Rule, str]] = [
    (text_rules.registry_hosts, f"pip install --index-url https://pypi{DOT}org/simple x"),
    (text_rules.registry_hosts, f"deb http://deb{DOT}debian{DOT}org/debian bookworm main"),
    (text_rules.machine_paths, 'open("/' + 'home/ann/serinus/run")'),
    (text_rules.machine_paths, "cd /" + "work/serinus"),
    (text_rules.unfinished, "x = 1  # TO" + "DO later"),
    (text_rules.quiet_skips, '@pytest.mark.skipif(True, reason="no")'),
    (text_rules.quiet_skips, 'pytest.importorskip("grpc")'),
    (text_rules.mocks, "from unittest.mock import patch"),
    (text_rules.mocks, 'monkeypatch.setattr(module, "name", None)'),
]
HARMLESS: list[tuple[Rule, str]] = [
    (text_rules.registry_hosts, "see the pypi page and crates, io and all"),
    (text_rules.machine_paths, "/usr/bin/env /var/lib/serinus /run/serinus https://example.com/home/page ~/root/x"),
    (text_rules.unfinished, "todos are a list, XXXL a size"),
    (text_rules.quiet_skips, 'skip("no openssl", next_step="install it")'),
    (text_rules.mocks, 'monkeypatch.setenv("HOME", "x")'),
]


@pytest.mark.parametrize(("rule", "line"), DECOYS)
def test_each_rule_finds_its_decoy_and_says_what_to_do(rule: Rule, line: str) -> None:
    (fault,) = rule("a/file.py", f"first line\n{line}\n")
    assert fault.startswith("a/file.py:2: ")
    assert "; next: " in fault


@pytest.mark.parametrize(("rule", "line"), HARMLESS)
def test_each_rule_lets_the_harmless_pass(rule: Rule, line: str) -> None:
    assert list(rule("a/file.py", line)) == []


@pytest.mark.parametrize("rule", text_rules.EVERY_FILE_RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps(rule: Rule) -> None:
    assert_kept(rule, [path for path in tree.files() if not tree.is_generated(path)])


@pytest.mark.parametrize("rule", text_rules.PYTHON_RULES, ids=lambda rule: rule.__name__)
def test_python_keeps(rule: Rule) -> None:
    assert_kept(rule, list(tree.python_files()))


def assert_kept(rule: Rule, paths: list) -> None:
    faults = [
        fault for path in paths if (text := tree.text_of(path)) is not None for fault in rule(tree.name_of(path), text)
    ]
    assert not faults, "\n".join(faults)
