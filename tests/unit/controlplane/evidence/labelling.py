"""Labels for tests, written short."""

from controlplane.evidence.labels import Asked, Label

START = 1_000_020


def label(
    request: int,
    *,
    slot: int = START,
    after: int = 5,
    is_candidate: bool = False,
    key: int | None = None,
    weight_bp: int = 5000,
    weight_class: str = "everyone",
    score: float | None = None,
    predicted: bool | None = None,
    actual: bool | None = None,
    margin: float | None = None,
) -> Label:
    """A label that came `after` seconds; each request has a key of its own unless given."""
    asked = Asked(slot, "s1", weight_class, weight_bp, is_candidate, request if key is None else key, request)
    return Label(asked, slot + after, score, predicted, actual, margin)
