"""The pictures of the docs: valid, and drawn from what was simulated."""

from pathlib import Path
from xml.etree import ElementTree

from controlplane.simulate.__main__ import main
from controlplane.simulate.plots import JUDGES
from controlplane.simulate.worlds import NAMES


def test_the_pictures_are_svg_that_names_every_judge_and_world(tmp_path: Path) -> None:
    assert main(["--plots", str(tmp_path), "--rollouts", "2"]) == 0
    drawn = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert sorted(drawn) == ["judge-evidence.svg", "judge-exposure.svg", "judge-worlds.svg"]
    for text in drawn.values():
        ElementTree.fromstring(text)  # raises for what is no XML
    for word in (*JUDGES, *NAMES):
        assert word in drawn["judge-worlds.svg"]
