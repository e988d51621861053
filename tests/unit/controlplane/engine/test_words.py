"""Conditions in words."""

import pytest

from controlplane.engine.words import in_words
from controlplane.manifest.cohort import CohortMatch


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"header": {"name": "x-team", "exact": "ml"}}, "header x-team is 'ml'"),
        ({"cookie": {"name": "plan", "in": list("abcde")}}, "cookie plan is one of 'a', 'b', 'c' and 2 more"),
        ({"key": {"in_file": "gold"}}, "sticky key is in the list 'gold'"),
        ({"path": {"regex": "/v.*"}}, "path matches '/v.*'"),
        ({"header": {"name": "x", "present": True}}, "header x is there"),
        ({"key": {"modulo": {"of": 7, "is": [1, 2]}}}, "sticky key modulo 7 is 1, 2"),
        ({"source": {"in": ["10.0.0.0/8"]}}, "the client's address is in 10.0.0.0/8"),
        ({"share": {"of": "5%"}}, "the sticky key is in the first 5% by salt cohort/chat/c"),
        (
            {
                "time": {
                    "after": "1970-01-01T00:00:09Z",
                    "before": "1970-01-02T00:00:00Z",
                    "days": ["mon"],
                    "from": "08:00",
                    "until": "09:30",
                }
            },
            "the time is from 9 s since 1970 before 86400 s since 1970 on Mon from 08:00 to 09:30 UTC",
        ),
        (
            {
                "all": [
                    {"method": {"exact": "GET"}},
                    {"not": {"any": [{"path": {"prefix": "/a"}}, {"path": {"suffix": "b"}}]}},
                ]
            },
            "(method is 'GET' and not (path starts with '/a' or path ends with 'b'))",
        ),
    ],
    ids=str,
)
def test_a_condition_reads_as_a_sentence(match: object, words: str) -> None:
    assert in_words(CohortMatch.model_validate(match).condition("chat/c")) == words
