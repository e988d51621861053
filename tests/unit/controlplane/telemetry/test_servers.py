"""Every signal of a server has its metric, and the other way round."""

from controlplane.signals.signal import Signal
from controlplane.telemetry.metric import Kind
from controlplane.telemetry.servers import SERVER_SIGNALS


def test_signals_and_metrics_are_the_same_ones() -> None:
    assert [metric.name for metric in SERVER_SIGNALS] == [f"serinus_server_{signal}" for signal in Signal]
    assert [metric.kind is Kind.COUNTER for metric in SERVER_SIGNALS] == [signal.is_counter for signal in Signal]
