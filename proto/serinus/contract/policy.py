"""Cohort policy as data, and the one function that evaluates it.

The sidecar (data path), `serinus cohort` and the native compilation must give the same answer, so the model and
`evaluate` live here. Pure; headers come in as a lookup, nothing is cached.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from serinus.contract.bucket import BUCKET_COUNT, key_hash
from serinus.contract.condition import Condition, Surroundings, holds
from serinus.contract.headers import COHORT_EVERYONE, COHORT_NO_KEY, COHORT_TOKEN, TOKEN
from serinus.contract.request import HeaderLookup, StickySource, sticky_key
from serinus.contract.slices import OTHER, SliceDimension, word_of
from serinus.contract.token import Claims, TokenResult, result_of

_NOWHERE = Surroundings()


@dataclass(frozen=True, slots=True)
class CohortRule:
    """A named cohort: who is in it, and the version they are pinned to ("": a weight deals them, the rollout's or that
    of their weight class, which the route knows by the cohort's name).
    """

    name: str
    when: Condition
    pin: str = ""


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """Tokens signed by a key of that file may ask for one of `versions`, those in force."""

    key_file: str
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeedbackPolicy:
    """Requests get ids signed by `key`. With a bearer token of `token_file` ("": nobody) one may say something of them
    through the gateway.
    """

    key: bytes = field(repr=False)
    token_file: str = ""


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    service: str
    salt: str
    baseline: str
    sticky: tuple[StickySource, ...]
    cohorts: tuple[CohortRule, ...] = field(default=())
    observe_body: bool = False
    follow_up_ms: int = 0  # how long after its start a request is waited for; 0: the sidecar's own default
    tokens: TokenPolicy | None = None
    feedback: FeedbackPolicy | None = None
    observe_sampled: bool = False  # only of responses that the proxy picks
    slices: tuple[SliceDimension, ...] = ()

    @property
    def conditions(self) -> Iterator[Condition]:
        """All that it asks of a request."""
        yield from (rule.when for rule in self.cohorts)
        yield from (value.when for dimension in self.slices for value in dimension.values)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a request belongs. `key_hash` and `bucket` are None without a usable key; `pin` is a version name; `slices`
    its value in each dimension, as one word."""

    cohort: str
    key: bytes | None
    key_hash: int | None
    bucket: int | None
    pin: str | None
    slices: str = ""


def evaluate(policy: ServicePolicy, headers: HeaderLookup, around: Surroundings = _NOWHERE) -> Assignment:
    """Cohort, key, bucket and pin of one request. A tester's token comes first; it has no effect unless it is accepted.
    Then the first matching cohort wins; the rest are randomised by bucket.

    Without a usable key a request that no rule pins is pinned to the baseline (`no_key`, or the rule's cohort): Envoy's
    native hash would place it at random.
    """
    key = sticky_key(policy.sticky, headers)
    assignment = _assignment(policy, headers, key, around)
    return replace(assignment, slices=slices_of(policy, headers, key, around)) if policy.slices else assignment


def slices_of(policy: ServicePolicy, headers: HeaderLookup, key: bytes | None, around: Surroundings) -> str:
    """Of each dimension the first value that holds."""

    def value(dimension: SliceDimension) -> str:
        return next((value.name for value in dimension.values if holds(value.when, headers, key, around)), OTHER)

    return word_of({dimension.name: value(dimension) for dimension in policy.slices})


def _assignment(policy: ServicePolicy, headers: HeaderLookup, key: bytes | None, around: Surroundings) -> Assignment:
    sent = headers(TOKEN)
    if sent and policy.tokens is not None:
        claims = around.claims_of(policy.tokens.key_file, sent[0]) if len(sent) == 1 else None
        if claims is not None and token_result(policy, claims, around.now_s) is TokenResult.ACCEPTED:
            return forced(policy, key, claims)
    rule = next((rule for rule in policy.cohorts if holds(rule.when, headers, key, around)), None)
    return assigned(policy, key, rule)


def token_result(policy: ServicePolicy, claims: Claims | None, now_s: int) -> TokenResult:
    """What a token that claims this is worth for a request of the policy's service."""
    versions = policy.tokens.versions if policy.tokens is not None else ()
    return result_of(claims, service=policy.service, versions=versions, now_s=now_s)


def forced(policy: ServicePolicy, key: bytes | None, claims: Claims) -> Assignment:
    """What follows from an accepted token: its version, whatever the rules say."""
    return Assignment(COHORT_TOKEN, key, *_hash_and_bucket(policy, key), claims.version)


def assigned(policy: ServicePolicy, key: bytes | None, rule: CohortRule | None) -> Assignment:
    """What follows from the sticky key and the rule that was met, if any."""
    hashed, bucket = _hash_and_bucket(policy, key)
    if rule is not None:
        return Assignment(rule.name, key, hashed, bucket, rule.pin or (policy.baseline if key is None else None))
    if key is None:
        return Assignment(COHORT_NO_KEY, None, None, None, policy.baseline)
    return Assignment(COHORT_EVERYONE, key, hashed, bucket, None)


def _hash_and_bucket(policy: ServicePolicy, key: bytes | None) -> tuple[int | None, int | None]:
    if key is None:
        return None, None
    hashed = key_hash(policy.salt, key)
    return hashed, hashed % BUCKET_COUNT
