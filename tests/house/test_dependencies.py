"""Each dependency says why it is there and what it weighs, and a tested version of it is pinned."""

import re
import tomllib

import pytest

from tests.house import tree

PYPROJECT = (tree.ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
PRODUCT = PROJECT["dependencies"]
DEVELOPMENT = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
PINNED = {
    re.sub(r"[-_.]+", "-", line.split("==")[0]).lower()
    for line in (tree.ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if "==" in line
}


def comment_of(requirement: str) -> str:
    lines = [line for line in PYPROJECT.splitlines() if line.strip().startswith(f'"{requirement}"')]
    assert len(lines) == 1, f"{requirement}: next: write it on a line of its own"
    return lines[0].partition("#")[2].strip() if "#" in lines[0] else ""


@pytest.mark.parametrize("requirement", PRODUCT)
def test_a_product_dependency_says_its_weight_and_why(requirement: str) -> None:
    weight = r"\d+(?:\.\d+)? [KM]B\b.*\. \S"
    assert re.match(weight, comment_of(requirement)), (
        f"{requirement}: next: add a comment such as `# 3 MB. Why it is here`"
    )


@pytest.mark.parametrize("requirement", DEVELOPMENT)
def test_a_development_dependency_says_why(requirement: str) -> None:
    assert comment_of(requirement), f"{requirement}: next: add a comment that says why"


@pytest.mark.parametrize("requirement", [*PRODUCT, *DEVELOPMENT])
def test_a_tested_version_is_pinned(requirement: str) -> None:
    name = re.sub(r"[-_.]+", "-", re.split(r"[<>=!~;\[ ]", requirement)[0]).lower()
    assert name in PINNED, f"{name}: next: add the version that was tested to constraints.txt"
