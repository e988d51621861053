"""docs/operations.md explains every reason that the rollout machine can give."""

import ast

from tests.unit.compose_file import ROOT

SOURCES = ("controlplane/rollout/gates.py", "controlplane/rollout/machine.py", "controlplane/rollout/outside.py")


def codes(source: str) -> set[str]:
    """The literal codes of `Hold(code, …)` and `Decision(action, code, …)`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Hold", "Decision"):
            place = 0 if node.func.id == "Hold" else 1
            if len(node.args) > place and isinstance(node.args[place], ast.Constant):
                found.add(str(node.args[place].value))
    return found


def test_every_reason_is_explained() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    given = set().union(*(codes((ROOT / path).read_text(encoding="utf-8")) for path in SOURCES))
    assert {"thin_evidence", "good_enough", "proxy_rejected"} <= given, "the search finds the codes"
    missing = sorted(code for code in given if f"`{code}`" not in text)
    assert not missing, f"next: say in docs/operations.md what {missing} means and what to do"
