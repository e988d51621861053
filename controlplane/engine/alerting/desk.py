"""All that is known of alerts: those of others that fire, and the states of our own rules."""

from controlplane.engine.alerting.book import RuleBook
from controlplane.engine.incoming import IncomingAlerts


class AlertDesk:
    """New at each start of the engine: what is stored is read by who leads."""

    def __init__(self) -> None:
        self.incoming = IncomingAlerts()
        self.rules = RuleBook()
        self.is_read = False  # of the rules
