"""The set in force: replaced whole, compiled once, and never half."""

import pytest

from extproc.cohort.errors import BadFileError
from extproc.cohort.files import Files
from extproc.cohort.idlist import read
from extproc.cohort.policies import PolicyHolder, PolicySet
from serinus.contract.condition import Op, Source, TextTest
from serinus.contract.policy import CohortRule, ServicePolicy
from tests.unit.extproc.cohort.drawn_policies import STICKY

GOLD = CohortRule("gold", TextTest(Source.KEY, "", Op.IN_FILE, ("ids",)), "v2")


def policy(service: str, *rules: CohortRule) -> ServicePolicy:
    return ServicePolicy(service, "r1", "v1", STICKY, rules)


def test_a_service_in_which_nothing_changed_is_not_compiled_again() -> None:
    holder = PolicyHolder(10_000)
    holder.replace(PolicySet("p1", {"a": policy("a"), "b": policy("b")}))
    a, b = holder.compiled("a"), holder.compiled("b")
    holder.replace(PolicySet("p2", {"a": policy("a"), "b": ServicePolicy("b", "r2", "v1", STICKY)}))
    assert holder.compiled("a") is a
    assert holder.compiled("b") is not b


def test_a_list_that_was_read_again_is_the_one_that_is_asked() -> None:
    holder, policies = PolicyHolder(10_000), PolicySet("p1", {"a": policy("a", GOLD)})
    assert policies.files.lists == {"ids"}
    for ids, cohort in (([b"u1"], "gold"), ([b"u2"], "everyone")):
        holder.replace(policies, Files(lists={"ids": read(ids, seed=1)}))
        compiled = holder.compiled("a")
        assert compiled is not None
        assert compiled.evaluate({"x-user": [b"u1"]}, 0).cohort == cohort


def test_a_set_that_cannot_be_compiled_changes_nothing() -> None:
    holder = PolicyHolder(10_000)
    holder.replace(PolicySet("p1", {"a": policy("a")}))
    with pytest.raises(BadFileError):
        holder.replace(PolicySet("p2", {"a": ServicePolicy("a", "r2", "v1", STICKY), "b": policy("b", GOLD)}))
    compiled = holder.compiled("a")
    assert compiled is not None
    assert (holder.current.version, compiled.policy.salt, holder.compiled("b")) == ("p1", "r1", None)
