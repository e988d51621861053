"""Which files policies need."""

import pytest

from extproc.cohort.errors import BadFileError
from extproc.cohort.files import FileNames, Files, names_of
from serinus.contract.condition import AllOf, Not, Op, Source, TextTest
from serinus.contract.geo import GeoTest
from serinus.contract.policy import CohortRule, FeedbackPolicy, ServicePolicy, TokenPolicy
from tests.unit.extproc.cohort.drawn_policies import STICKY


def test_all_files_of_all_policies_are_named_by_kind() -> None:
    ids, place = TextTest(Source.KEY, "", Op.IN_FILE, ("ids",)), GeoTest("geo.mmdb", ("DE",))
    one = ServicePolicy("a", "r1", "v1", STICKY, (CohortRule("c", AllOf((ids, Not(place)))),))
    other = ServicePolicy("b", "r1", "v1", STICKY, tokens=TokenPolicy("testers.key", ("v1",)))
    third = ServicePolicy("c", "r1", "v1", STICKY, feedback=FeedbackPolicy(b"k" * 32, "chat.feedback"))
    fourth = ServicePolicy("d", "r1", "v1", STICKY, feedback=FeedbackPolicy(b"k" * 32))
    names = names_of((one, other, third, fourth))
    assert names == FileNames(frozenset({"ids"}), frozenset({"geo.mmdb"}), frozenset({"testers.key", "chat.feedback"}))
    assert len(names) == 4
    assert not names_of((ServicePolicy("c", "r1", "v1", STICKY),))


def test_a_file_that_is_not_here_is_a_typed_error() -> None:
    for ask in (Files().ids, Files().places_in, Files().signing_keys):
        with pytest.raises(BadFileError, match="'x' is not loaded"):
            ask("x")
