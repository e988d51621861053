"""Services and routes drawn at random, for properties that hold for every one of them."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from controlplane.snapshot.model import ServiceRoute
from tests.unit.controlplane.snapshot.factory import at, service

_NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
_TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF), max_size=12)
_HEADERS = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}", fullmatch=True)
_PREFIXES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8).map("/{}".format)
_MATCHES = st.one_of(
    st.fixed_dictionaries({"exact": _TEXTS}),
    st.fixed_dictionaries({"prefix": _TEXTS}),
    st.fixed_dictionaries({"suffix": _TEXTS}),
    st.just({"present": True}),
    st.fixed_dictionaries({"in": st.lists(_TEXTS, min_size=1, max_size=4)}),
)
_ELSE = [
    {"method": {"in": ["GET", "HEAD"]}},
    {"header": {"name": "x-mail", "regex": ".*@example[.]com"}},
    {"path": {"prefix": "/v1/"}},
    {"cookie": {"name": "plan", "exact": "gold"}},
    {"query": {"name": "beta", "present": True}},
    {"key": {"in_file": "ids.txt"}},
    {"key": {"modulo": {"of": 10, "is": [3]}}},
    {"source": {"in": ["10.0.0.0/8", "2001:db8::/32"]}},
    {"share": {"of": "50%"}},
]


def _header(name: str, test: dict[str, Any]) -> dict[str, Any]:
    return {"header": {"name": name, **test}}


_PARTS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.builds(_header, _HEADERS, _MATCHES) | st.sampled_from(_ELSE),
    lambda part: st.one_of(
        st.fixed_dictionaries({"all": st.lists(part, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(part, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": part}),
    ),
    max_leaves=4,
)


def _cohort(name: str, match: dict[str, Any], goes: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "match": match, **goes}


_COHORTS = st.builds(
    _cohort,
    _NAMES,
    _PARTS,
    st.sampled_from([{"pin": "candidate"}, {"pin": "baseline"}, {"exclude": True}])
    | st.sampled_from([0.5, 3, 1]).map(lambda factor: {"weight_factor": factor}),
)
_STICKY = st.one_of(
    st.fixed_dictionaries({"header": _HEADERS}),
    st.fixed_dictionaries({"cookie": _TEXTS.filter(bool)}),
    st.fixed_dictionaries({"query": _TEXTS.filter(bool)}),
    st.just("request"),
)


@st.composite
def service_routes(draw: st.DrawFn) -> ServiceRoute:
    """Any service, with a rollout or without."""
    arms = st.sampled_from(["v1", "v2"])
    drawn = service(
        draw(_NAMES),
        sticky=draw(_STICKY | st.lists(_STICKY, min_size=1, max_size=3)),
        prefix=draw(_PREFIXES),
        cohorts=draw(st.lists(_COHORTS, max_size=3)),
        protocol=draw(st.sampled_from(["http", "openai", "kserve-v2"])),
        observe={"body": draw(st.booleans())},
        upgrades=draw(st.sampled_from([[], ["websocket"]])),
        baseline=draw(arms),
    )
    drawn = replace(drawn, salt=draw(_TEXTS))
    if draw(st.booleans()):
        return drawn
    weight_bp = draw(st.integers(0, 10_000) | st.sampled_from([0, 1, 10_000]))
    return at(drawn, weight_bp, pins=draw(st.booleans()), candidate=draw(arms))
