"""What the diagnostics refuse. A diagnostic explains, so a refused one costs an explanation and never a decision."""

from controlplane.evidence.errors import EvidenceError


class SeriesError(EvidenceError):
    """Numbers that a method cannot read: none, not finite, without spread, of other lengths, negative counts."""

    code = "invalid_series"


class TooFewError(SeriesError):
    """Fewer points than the method needs to say anything."""

    code = "too_few_points"

    def __init__(self, name: str, *, found: int, needed: int, why: str) -> None:
        self.found = found
        self.needed = needed
        super().__init__(f"{name}: {found} points, {needed} are needed: {why}", next_step="wait for more points")


class SettingError(EvidenceError):
    """A parameter of a method outside its range."""

    code = "invalid_diagnostic_setting"


class MissingExtraError(EvidenceError):
    """The optional packages of a method are not installed."""

    code = "missing_extra"
