"""The pictures of the docs: valid, the same at every run, and drawn from what was simulated."""

from xml.etree import ElementTree

from controlplane.simulate.plots import JUDGES, pictures
from controlplane.simulate.worlds import NAMES


def test_the_pictures_are_svg_that_names_every_judge_and_world_and_repeat() -> None:
    drawn = pictures(rollouts=5)
    assert sorted(drawn) == ["judge-evidence.svg", "judge-exposure.svg", "judge-worlds.svg"]
    for text in drawn.values():
        ElementTree.fromstring(text)  # raises for what is no XML
    for word in (*JUDGES, *NAMES):
        assert word in drawn["judge-worlds.svg"]
    assert drawn == pictures(rollouts=5)
