from controlplane.errors import SerinusError
from controlplane.evidence.diagnostics.errors import MissingExtraError, SeriesError, SettingError, TooFewError


def test_too_few_says_what_was_found_what_is_needed_and_why() -> None:
    fault = TooFewError("rows", found=3, needed=50, why="5 a column")
    assert str(fault) == "rows: 3 points, 50 are needed: 5 a column; next: wait for more points"


def test_all_are_typed_errors_of_serinus_with_codes_of_their_own() -> None:
    kinds = (SeriesError, TooFewError, SettingError, MissingExtraError)
    assert all(issubclass(kind, SerinusError) for kind in kinds)
    assert len({kind.code for kind in kinds}) == len(kinds)
