"""Which files policies need."""

import pytest

from extproc.cohort.errors import BadFileError
from extproc.cohort.files import FileNames, Files, names_of
from serinus.contract.condition import AllOf, Not, Op, Source, TextTest
from serinus.contract.geo import GeoTest
from serinus.contract.policy import CohortRule, ServicePolicy, TokenPolicy
from tests.unit.extproc.cohort.drawn_policies import STICKY


def test_all_files_of_all_policies_are_named_by_kind() -> None:
    ids, place = TextTest(Source.KEY, "", Op.IN_FILE, ("ids",)), GeoTest("geo.mmdb", ("DE",))
    one = ServicePolicy("a", "r1", "v1", STICKY, (CohortRule("c", AllOf((ids, Not(place)))),))
    other = ServicePolicy("b", "r1", "v1", STICKY, tokens=TokenPolicy("testers.key", ("v1",)))
    names = names_of((one, other))
    assert names == FileNames(frozenset({"ids"}), frozenset({"geo.mmdb"}), frozenset({"testers.key"}))
    assert len(names) == 3
    assert not names_of((ServicePolicy("c", "r1", "v1", STICKY),))


def test_a_file_that_is_not_here_is_a_typed_error() -> None:
    for ask in (Files().ids, Files().places_in, Files().signing_keys):
        with pytest.raises(BadFileError, match="'x' is not loaded"):
            ask("x")
