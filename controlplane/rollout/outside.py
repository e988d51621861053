"""What alerts of others mean for a rollout whose plan listens to them. Pure.

They stand beside the judge, not in its place: an alert that fires holds every increase and the promotion. It rolls back
only where the plan says so, once users are on the candidate.
"""

from controlplane.rollout.events import AlertsFact
from controlplane.rollout.gates import Hold
from controlplane.rollout.transition import Action, Decision


def alert_hold(alerts: AlertsFact) -> Hold | None:
    """Before anything that goes forward."""
    if alerts.is_unknown:
        return Hold("alerts_unknown", "which alerts fire is not known yet: they are read from the store")
    return Hold("external_alert", f"held by {alerts.firing}") if alerts.firing else None


def alert_rollback(alerts: AlertsFact) -> Decision | None:
    """Of a candidate that has users."""
    if not alerts.rolling_back:
        return None
    return Decision(Action.ROLLBACK, "external_alert", f"rolled back by {alerts.rolling_back}")
