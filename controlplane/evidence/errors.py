"""What the judge refuses. A refused call changed nothing: the caller may drop the slot, or stop, and go on."""

from controlplane.errors import SerinusError


class EvidenceError(SerinusError):
    """Base of the judge's errors."""

    code = "invalid_evidence"


class PlanError(EvidenceError):
    """The plan of the judge contradicts itself."""

    code = "invalid_judge_plan"


class CountsError(EvidenceError):
    """Counts that cannot be: more bad than observed, negative, not whole, a key that is no 64-bit hash."""

    code = "invalid_counts"


class SlotOrderError(EvidenceError):
    """A slot came a second time, or time ran backwards."""

    code = "slot_order"

    def __init__(self, what: str, slot: int, *, after: int) -> None:
        self.slot = slot
        self.after = after
        super().__init__(
            f"{what} {slot} came after slot {after}",
            next_step="hand over each slot once, oldest first; late rows are counted at ingest, never judged",
        )


class WeightError(EvidenceError):
    """A weight outside 0..10000 basis points."""

    code = "invalid_weight"

    def __init__(self, weight_bp: object) -> None:
        super().__init__(f"weight {weight_bp!r} is outside 0..10000 bp", next_step="give whole basis points")
