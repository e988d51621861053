"""What is known beside the evidence: alerts of others that fire, the states of our own rules, a Prometheus' answers."""

from controlplane.engine.alerting.book import RuleBook
from controlplane.engine.incoming import IncomingAlerts
from controlplane.engine.promql.query import QueryBook


class AlertDesk:
    """New at each start of the engine: what is stored is read by who leads."""

    def __init__(self) -> None:
        self.incoming = IncomingAlerts()
        self.rules = RuleBook()
        self.queries = QueryBook()
        self.is_read = False  # of the rules
