"""The cohort policy is worked out when something that it says has changed, and only then."""

from dataclasses import replace

from controlplane.engine.policies import PolicyBook
from controlplane.engine.world import World, plan_apply
from controlplane.manifest.load import load
from controlplane.rollout.model import Observing, Promoted
from tests.unit.controlplane.manifest.samples import BOTH, SERVICE


def applied(text: str, world: World | None = None) -> World:
    return plan_apply(world or World(), load([("chat.yaml", text)]), 0).world


def test_an_empty_world_has_a_policy_with_a_version() -> None:
    book = PolicyBook()
    assert not book.update(World())
    assert book.policy.version


def test_a_rollout_that_begins_or_ends_changes_it_and_a_weight_does_not() -> None:
    book = PolicyBook()
    world = applied(SERVICE)
    book.update(world)
    world = applied(BOTH, world)
    assert book.update(world), "users are dealt anew by the rollout's salt"
    policy = book.policy
    world = world.with_rollout(replace(world.rollout("chat-v2"), phase=Observing(1, 0)))
    assert not book.update(world)
    assert book.policy is policy, "not even built"
    world = world.with_rollout(replace(world.rollout("chat-v2"), phase=Promoted(0))).with_baseline("chat", "v2")
    assert book.update(world)


def test_a_service_that_is_applied_unchanged_is_the_same_policy() -> None:
    book = PolicyBook()
    book.update(applied(SERVICE))
    version = book.policy.version
    assert not book.update(applied(SERVICE))
    assert book.policy.version == version
    assert book.update(applied(SERVICE.replace("exact: ml", "exact: ops")))


def test_ids_for_feedback_are_signed_by_the_key_of_the_installation_where_a_service_asks_for_it() -> None:
    book = PolicyBook()
    book.feedback_key = b"k" * 32
    asked = SERVICE.replace("  baseline: v1\n", "  baseline: v1\n  feedback: {token_file: chat.feedback}\n")
    book.update(applied(SERVICE))
    assert not book.policy.services[0].HasField("feedback")
    assert book.update(applied(asked))
    feedback = book.policy.services[0].feedback
    assert (feedback.key, feedback.token_file) == (b"k" * 32, "chat.feedback")


def test_without_a_key_yet_nothing_is_signed() -> None:
    book = PolicyBook()
    book.update(applied(SERVICE.replace("  baseline: v1\n", "  baseline: v1\n  feedback: true\n")))
    assert not book.policy.services[0].HasField("feedback")
