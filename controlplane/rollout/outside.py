"""What alerts of others, a Prometheus, and what a service leans on mean for a rollout that listens to them. Pure.

They stand beside the judge, not in its place: an alert that fires, or an answer beyond its limit, holds every increase
and the promotion. Only an alert rolls back, where the plan says so, once users are on the candidate.
"""

from controlplane.rollout.events import AlertsFact, Facts
from controlplane.rollout.gates import Hold
from controlplane.rollout.transition import Action, Decision


def outside_hold(facts: Facts) -> Hold | None:
    """Before anything that goes forward: alerts that fire, what the plan asks of a Prometheus, dependencies."""
    alerts, queries = facts.alerts, facts.queries
    if alerts.is_unknown:
        return Hold("alerts_unknown", "which alerts fire is not known yet: they are read from the store")
    if alerts.firing:
        return Hold("external_alert", f"held by {alerts.firing}")
    if queries.beyond:
        return Hold("promql", queries.beyond)
    if queries.missing:
        return Hold("promql_missing", queries.missing)
    if facts.probes.down:
        return Hold("dependency", f"dependency {facts.probes.down}")
    return Hold("dependency_unknown", f"dependency {facts.probes.unknown}") if facts.probes.unknown else None


def alert_rollback(alerts: AlertsFact) -> Decision | None:
    """Of a candidate that has users."""
    if not alerts.rolling_back:
        return None
    return Decision(Action.ROLLBACK, "external_alert", f"rolled back by {alerts.rolling_back}")
