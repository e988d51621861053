"""Where things stand: the fixed top level, packages, names, and tests beside what they test."""

from pathlib import Path

import pytest

from tests.house import tree

TOP_LEVEL = {
    *("pyproject.toml", "proto", "controlplane", "extproc", "envoy", "docker-compose.yml", "tests", "README.md"),
    *("Makefile", "CHANGELOG.md", "LICENSE", "constraints.txt", "docs"),
}
# Made by tools on a developer's machine; each is in .gitignore.
LEFT_BY_TOOLS = {"build", "dist", "run", "reports", "__pycache__"}
PACKAGES = ("controlplane", "extproc", "proto/serinus")
NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "base", "lib"}


def test_the_top_level_holds_what_was_agreed_and_nothing_else() -> None:
    found = {path.name for path in tree.ROOT.iterdir() if not path.name.startswith(".")}
    strays = {name for name in found - TOP_LEVEL - LEFT_BY_TOOLS if not name.endswith(".egg-info")}
    assert not strays, f"{sorted(strays)} at the top level; next: move them into one of the folders, docs/ for prose"
    missing = TOP_LEVEL - found
    assert not missing, f"{sorted(missing)} left the top level; next: put them back"


@pytest.mark.parametrize("folder", ["envoy", "proto"])
def test_a_folder_that_would_shadow_an_installed_package_is_none(folder: str) -> None:
    path = tree.ROOT / folder / "__init__.py"
    assert not path.exists(), f"{folder}/__init__.py shadows the installed package {folder!r}; next: delete it"


def test_init_files_are_empty() -> None:
    full = [tree.name_of(path) for path in tree.python_files() if path.name == "__init__.py" and path.stat().st_size]
    assert not full, f"{full} hold code; next: move it to a module with a name, importing a package must do nothing"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_installed_package_says_that_it_is_typed(package: str) -> None:
    assert (tree.ROOT / package / "py.typed").is_file(), f"{package}/py.typed is missing; next: touch it (PEP 561)"


def test_every_folder_with_python_is_a_package() -> None:
    """Without `__init__.py` two tests of one name collide, and the import arrows do not see a module. Examples are
    files to copy: nothing imports them."""
    folders = {path.parent for path in tree.python_files()} - {tree.ROOT}
    folders -= {folder for folder in folders if folder.is_relative_to(tree.ROOT / "docs/examples")}
    missing = [tree.name_of(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()]
    assert not missing, f"no __init__.py in {missing}; next: touch it"


def test_modules_are_named_for_what_they_hold() -> None:
    bad = [
        tree.name_of(path)
        for path in tree.python_files()
        if {path.stem, *path.relative_to(tree.ROOT).parts[:-1]} & NAMES_THAT_SAY_NOTHING
    ]
    assert not bad, f"{bad} could hold anything; next: name the thing inside"


def test_unit_tests_stand_under_the_path_of_what_they_test() -> None:
    unit = tree.ROOT / "tests/unit"
    strays = []
    for path in tree.python_files():
        if unit in path.parents and path.parent != unit:
            folder = path.parent.relative_to(unit)
            if not any((tree.ROOT / place / folder).is_dir() for place in (Path(), Path("proto"))):
                strays.append(tree.name_of(path))
    assert not strays, f"{strays} mirror no source folder; next: move them under tests/unit/<path of the source>/"
