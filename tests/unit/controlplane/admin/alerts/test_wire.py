"""What the admin API shows of alerts: what fires first, who is silent, and alerts of others by what they are about."""

from controlplane.admin.alerts.wire import alerts_response
from controlplane.engine.alerting.book import RuleState, Silence
from controlplane.engine.alerting.desk import AlertDesk
from controlplane.engine.alerting.rule import AlertRule
from controlplane.engine.world import World
from tests.unit.controlplane.engine.test_incoming import NOW_MS, alert
from tests.unit.controlplane.manifest.test_alert_rule import rule

SPEC = rule("{metric: errors, above: 5%}", "  severity: page\n")
WORLD = World(rules={name: AlertRule(name, SPEC, {}) for name in ("a", "b", "c")})


def desk() -> AlertDesk:
    found = AlertDesk()
    found.rules.states = {
        "b": RuleState(NOW_MS - 9_000, 0, NOW_MS, NOW_MS, "errors 9%"),
        "c": RuleState(NOW_MS - 9_000, NOW_MS - 5_000, NOW_MS, NOW_MS, "errors 9%", "ada", "on it"),
    }
    found.rules.silences = (Silence("", "bob", "deploy", 0, NOW_MS + 1), Silence("a", "eve", "", 0, NOW_MS))
    found.incoming.take([alert(version="v2"), alert("b", rollout="chat-v2", action="hold")])
    return found


def test_what_fires_stands_first_and_says_since_when() -> None:
    views = alerts_response(WORLD, desk(), "", NOW_MS).rules
    assert [(view.name, view.state, view.severity) for view in views] == [
        ("c", "firing", "page"),
        ("b", "pending", "page"),
        ("a", "inactive", "page"),
    ]
    assert [view.since_ms for view in views] == [NOW_MS - 5_000, NOW_MS - 9_000, 0]
    assert (views[0].acknowledged_by, views[0].text) == ("ada", "errors 9%")


def test_a_silence_of_all_silences_each_and_one_that_is_over_is_gone() -> None:
    response = alerts_response(WORLD, desk(), "", NOW_MS)
    assert {view.silenced_by for view in response.rules} == {"bob"}
    assert [(each.rule, each.author) for each in response.silences] == [("", "bob")]


def test_alerts_of_others_say_what_they_are_about() -> None:
    external = alerts_response(WORLD, desk(), "", NOW_MS).external
    assert [(each.about, each.action) for each in external] == [("service/chat/v2", ""), ("rollout/chat-v2", "hold")]
    assert not alerts_response(WORLD, desk(), "a", NOW_MS).external
