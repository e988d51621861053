from collections.abc import Callable

import pytest

from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.cohort.wire import BadPolicyError, policies_of
from serinus.contract.condition import Op, Source, TextTest
from serinus.contract.geo import GeoTest
from serinus.contract.policy import CohortRule, FeedbackPolicy, ServicePolicy, TokenPolicy
from serinus.contract.request import StickyKind, StickySource
from serinus.v1 import outcomes_pb2


def message() -> outcomes_pb2.Policy:
    rules = [
        outcomes_pb2.CohortRule(name="staff", header="X-Team", exact="ml", pin="v2"),
        outcomes_pb2.CohortRule(name="eu", header="x-region", prefix="eu-"),
        outcomes_pb2.CohortRule(name="gold", header="x-tier", **{"in": outcomes_pb2.StringList(values=["a", "b"])}),
    ]
    sticky = [
        outcomes_pb2.StickySource(kind="header", name="X-User-Id"),
        outcomes_pb2.StickySource(kind="cookie", name="Uid"),
        outcomes_pb2.StickySource(kind="request"),
    ]
    service = outcomes_pb2.ServicePolicy(
        service="chat", salt="r1", baseline="v1", sticky=sticky, cohorts=rules, observe_body=True, follow_up_ms=2_000
    )
    return outcomes_pb2.Policy(version="p1", services=[service])


def test_a_policy_is_read_as_the_contract_has_it() -> None:
    """Header names are lower case on the wire of HTTP/2; cookie names are not changed."""
    assert policies_of(message()) == PolicySet(
        "p1",
        {
            "chat": ServicePolicy(
                service="chat",
                salt="r1",
                baseline="v1",
                sticky=(
                    StickySource(StickyKind.HEADER, "x-user-id"),
                    StickySource(StickyKind.COOKIE, "Uid"),
                    StickySource(StickyKind.REQUEST),
                ),
                cohorts=(
                    CohortRule("staff", TextTest(Source.HEADER, "x-team", Op.EXACT, ("ml",)), "v2"),
                    CohortRule("eu", TextTest(Source.HEADER, "x-region", Op.PREFIX, ("eu-",))),
                    CohortRule("gold", TextTest(Source.HEADER, "x-tier", Op.IN, ("a", "b"))),
                ),
                observe_body=True,
                follow_up_ms=2_000,
            )
        },
    )


def _twice(policy: outcomes_pb2.Policy) -> None:
    policy.services.append(policy.services[0])


def _set(path: str, value: object) -> Callable[[outcomes_pb2.Policy], None]:
    def change(policy: outcomes_pb2.Policy) -> None:
        target: object = policy.services[0]
        *steps, last = path.split(".")
        for step in steps:
            target = getattr(target, step)[0]
        setattr(target, last, value)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda policy: setattr(policy, "version", ""), "without a version"),
        (_twice, "stands twice"),
        (_set("service", ""), "name"),
        (_set("salt", "a b"), "salt 'a b'"),
        (_set("salt", ""), "salt"),
        (_set("baseline", ""), "baseline"),
        (lambda policy: policy.services[0].ClearField("sticky"), "0 sticky sources"),
        (_set("sticky.kind", "jwt"), "sticky kind 'jwt' is unknown"),
        (_set("sticky.name", ""), "name of a sticky header"),
        (_set("cohorts.name", "a\nb"), "cohort"),
        (_set("cohorts.header", ""), "header"),
        (_set("cohorts.pin", "v 2"), "pin 'v 2'"),
        (lambda policy: policy.services[0].cohorts[0].ClearField("exact"), "no match"),
        (lambda policy: getattr(policy.services[0].cohorts[2], "in").ClearField("values"), "0 values"),
        (lambda policy: policy.services[0].sticky.extend(policy.services[0].sticky[:1] * 8), "11 sticky sources"),
        (lambda policy: policy.services[0].cohorts.extend(policy.services[0].cohorts[:1] * 100), "103 cohorts"),
    ],
)
def test_a_bad_policy_is_refused_whole(change: Callable[[outcomes_pb2.Policy], None], words: str) -> None:
    policy = message()
    change(policy)
    with pytest.raises(BadPolicyError, match=words):
        policies_of(policy)


def _condition(**kind: object) -> Callable[[outcomes_pb2.Policy], None]:
    def change(policy: outcomes_pb2.Policy) -> None:
        policy.services[0].cohorts[0].when.CopyFrom(outcomes_pb2.Condition(**kind))  # type: ignore[arg-type]

    return change


def _text(**fields: object) -> Callable[[outcomes_pb2.Policy], None]:
    test = {"source": "header", "name": "x", "op": "exact", "operands": ["a"], **fields}
    return _condition(text=outcomes_pb2.TextTest(**test))  # type: ignore[arg-type]


def _nested(depth: int) -> outcomes_pb2.Condition:
    plain = outcomes_pb2.Condition(networks=outcomes_pb2.StringList(values=["::/0"]))
    return plain if depth == 1 else outcomes_pb2.Condition(negated=_nested(depth - 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_condition(), "a condition that this sidecar does not know"),
        (_text(source="jwt"), "source 'jwt' is unknown"),
        (_text(op="soundex"), "test 'soundex' is unknown"),
        (_text(name="a b"), "header 'a b'"),
        (_text(operands=["a", "b"]), "2 values, must be 1 to 1"),
        (_text(operands=[]), "0 values"),
        (_text(op="present"), "1 values, must be 0 to 0"),
        (_text(op="in", operands=["a"] * 1_001), "1001 values"),
        (_text(op="regex", operands=["("]), "missing"),
        (_text(op="regex", operands=["a" * 1_001]), "1001 characters"),
        (_text(op="in_file", operands=["../x"]), "not the name of a file"),
        (_condition(modulo=outcomes_pb2.ModuloTest(source="key", divisor=0, remainders=[0])), "division by 0"),
        (_condition(modulo=outcomes_pb2.ModuloTest(source="key", divisor=5)), "0 values"),
        (_condition(modulo=outcomes_pb2.ModuloTest(source="key", divisor=5, remainders=[5])), "division by 5"),
        (_condition(modulo=outcomes_pb2.ModuloTest(source="cookie", divisor=5, remainders=[1])), "cookie ''"),
        (_condition(networks=outcomes_pb2.StringList(values=["10.0.0.1/8"])), "host bits"),
        (_condition(time=outcomes_pb2.TimeTest(days=[7])), "weekday 7"),
        (_condition(time=outcomes_pb2.TimeTest(until_minute=1_441)), "minute 1441"),
        (_condition(share=outcomes_pb2.ShareTest(share_bp=10_001, salt="s")), "share 10001"),
        (_condition(share=outcomes_pb2.ShareTest(share_bp=1, salt="")), "salt of a share"),
        (_condition(all_of=outcomes_pb2.ConditionList()), "0 values"),
        (_condition(any_of=outcomes_pb2.ConditionList(parts=[_nested(1)] * 64)), "65 conditions, 2 deep"),
        (_condition(negated=_nested(5)), "6 conditions, 6 deep"),
    ],
)
def test_a_bad_condition_is_refused_with_its_cohort(change: Callable[[outcomes_pb2.Policy], None], words: str) -> None:
    policy = message()
    change(policy)
    with pytest.raises(BadPolicyError, match=f"cohort 'staff'.*{words}"):
        policies_of(policy)


def test_without_a_policy_nothing_is_known() -> None:
    holder = PolicyHolder(10_000)
    assert holder.policy("chat") is None
    assert holder.follow_up_ms("chat") == holder.follow_up_ms_max == 10_000
    assert not holder.observes("chat")


def test_no_slot_closes_before_the_longest_follow_up_of_any_service() -> None:
    holder = PolicyHolder(10_000)
    policy = message()
    holder.replace(policies_of(policy))
    assert (holder.follow_up_ms("chat"), holder.follow_up_ms_max) == (2_000, 2_000)
    other = policy.services.add()
    other.CopyFrom(policy.services[0])
    other.service, other.follow_up_ms = "chat2", 0
    holder.replace(policies_of(policy))
    assert (holder.follow_up_ms("chat2"), holder.follow_up_ms_max) == (10_000, 10_000)
    assert holder.observes("chat")


def test_of_a_service_that_is_looked_at_by_sample_only_what_was_picked_is() -> None:
    policy = message()
    policy.services[0].observe_sampled = True
    holder = PolicyHolder(10_000)
    holder.replace(policies_of(policy))
    assert (holder.observes("chat", is_sampled=True), holder.observes("chat")) == (True, False)


def _geo(**fields: object) -> Callable[[outcomes_pb2.Policy], None]:
    def change(policy: outcomes_pb2.Policy) -> None:
        geo = outcomes_pb2.GeoTest(**fields)  # type: ignore[arg-type]
        policy.services[0].cohorts.add(name="geo", when=outcomes_pb2.Condition(geo=geo))

    return change


def _tokens(key_file: str, *versions: str) -> Callable[[outcomes_pb2.Policy], None]:
    def change(policy: outcomes_pb2.Policy) -> None:
        policy.services[0].tokens.CopyFrom(outcomes_pb2.TokenPolicy(key_file=key_file, versions=versions))

    return change


def test_places_and_tokens_are_read_as_the_contract_has_them() -> None:
    policy = message()
    _geo(file="geo.mmdb", countries=["DE"], regions=["US-CA"])(policy)
    _tokens("testers.key", "v1", "v2")(policy)
    read = policies_of(policy).services["chat"]
    assert read.cohorts[-1] == CohortRule("geo", GeoTest("geo.mmdb", ("DE",), (), ("US-CA",)))
    assert read.tokens == TokenPolicy("testers.key", ("v1", "v2"))


def _feedback(key: bytes, token_file: str = "") -> Callable[[outcomes_pb2.Policy], None]:
    def change(policy: outcomes_pb2.Policy) -> None:
        policy.services[0].feedback.CopyFrom(outcomes_pb2.FeedbackPolicy(key=key, token_file=token_file))

    return change


def test_the_key_of_feedback_is_read_and_never_shown() -> None:
    policy = message()
    _feedback(b"k" * 32, "chat.feedback")(policy)
    read = policies_of(policy).services["chat"]
    assert read.feedback == FeedbackPolicy(b"k" * 32, "chat.feedback")
    assert "kkk" not in repr(read)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_geo(file="../geo.mmdb", countries=["DE"]), r"file of places '\.\./geo\.mmdb' is not the name of a file"),
        (_geo(file="geo.mmdb"), "0 values"),
        (_geo(file="geo.mmdb", countries=["DE"] * 2_000), "2000 values"),
        (_tokens("/etc/passwd", "v1"), "key file '/etc/passwd' is not the name of a file"),
        (_tokens("testers.key"), "0 values"),
        (_tokens("testers.key", "v 1"), "version of tokens 'v 1'"),
        (_feedback(b"short"), "a key of 5 bytes for feedback"),
        (_feedback(b"k" * 32, "../x"), r"token file of feedback '\.\./x' is not the name of a file"),
    ],
)
def test_files_outside_the_folder_and_empty_tests_are_refused(
    change: Callable[[outcomes_pb2.Policy], None], words: str
) -> None:
    policy = message()
    change(policy)
    with pytest.raises(BadPolicyError, match=words):
        policies_of(policy)
