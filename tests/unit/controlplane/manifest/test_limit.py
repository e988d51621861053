"""Limits say something, and can be a part of a key."""

import pytest
from pydantic import ValidationError

from controlplane.manifest.limit import Limit, Limits


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "a limit needs requests_per_second, concurrent, or both"),
        ({"burst": 5}, "a limit needs requests_per_second, concurrent, or both"),
        ({"burst": 5, "concurrent": 5}, "burst needs requests_per_second"),
        ({"requests_per_second": 0}, "greater than or equal to 1"),
        ({"requests_per_second": "50"}, "valid integer"),
        ({"concurrent": True}, "valid integer"),
    ],
)
def test_a_limit_that_limits_nothing_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Limit.model_validate(keys)


def test_limits_of_one_content_have_one_hash() -> None:
    one, other = Limit(concurrent=20), Limit(requests_per_second=50, burst=100)
    assert hash(Limits(a=one, b=other)) == hash(Limits(b=other, a=one))
