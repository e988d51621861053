"""`serinus.v1.Policy` -> PolicySet. A bad policy is refused whole: the set before it stays in force.

What goes into request headers (salt, pins, cohort names) must be printable ASCII without blanks: Envoy would refuse
the whole answer otherwise, and every request of the service would pass untagged.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_network
from math import prod
from typing import TypeVar

from extproc.cohort import regex
from extproc.cohort.policies import PolicySet
from extproc.errors import SidecarError
from serinus.contract.condition import (
    CONDITION_COUNT_MAX,
    CONDITION_DEPTH_MAX,
    MINUTES_OF_DAY,
    NAMED_SOURCES,
    REGEX_CHARS_MAX,
    VALUES_MAX,
    AddressTest,
    AllOf,
    AnyOf,
    Condition,
    ModuloTest,
    Not,
    Op,
    ShareTest,
    Source,
    TextTest,
    TimeTest,
    depth_of,
    every,
)
from serinus.contract.feedback import KEY_BYTES
from serinus.contract.geo import GeoTest
from serinus.contract.policy import CohortRule, FeedbackPolicy, ServicePolicy, TokenPolicy
from serinus.contract.request import StickyKind, StickySource
from serinus.contract.slices import COMBINATIONS_MAX, DIMENSIONS_MAX, SliceDimension, SliceValue
from serinus.contract.weight import WEIGHT_TOTAL_BP
from serinus.v1 import outcomes_pb2

# One Envoy carries some hundred services at most; a message beyond this is a mistake or an attack.
SERVICES_MAX = 10_000
# The manifest's own limits.
STICKY_MAX = 8
COHORTS_MAX = 100
# A file inside the policy folder: no path leads out of it.
FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
# It stands in a word of the access log, between `=` and `,`.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")
_TOKEN = re.compile(r"[!-~]{1,253}")


T = TypeVar("T")


class BadPolicyError(SidecarError):
    """The control plane sent a policy that cannot be put in force."""

    code = "bad_policy"


def policies_of(message: outcomes_pb2.Policy) -> PolicySet:
    """All services of one policy. Raises BadPolicyError that names the first service and field at fault."""
    if not message.version:
        raise BadPolicyError("policy without a version")
    if len(message.services) > SERVICES_MAX:
        raise BadPolicyError(f"{len(message.services)} services in one policy, at most {SERVICES_MAX}")
    services = {entry.service: _service(entry) for entry in message.services}
    if len(services) != len(message.services):
        raise BadPolicyError("a service stands twice in one policy")
    return PolicySet(message.version, services)


def _service(message: outcomes_pb2.ServicePolicy) -> ServicePolicy:
    where = f"service {message.service!r}"
    _token(message.service, f"{where}: name")
    if not 0 < len(message.sticky) <= STICKY_MAX:
        raise BadPolicyError(f"{where}: {len(message.sticky)} sticky sources, must be 1 to {STICKY_MAX}")
    if len(message.cohorts) > COHORTS_MAX:
        raise BadPolicyError(f"{where}: {len(message.cohorts)} cohorts, at most {COHORTS_MAX}")
    return ServicePolicy(
        service=message.service,
        salt=_token(message.salt, f"{where}: salt"),
        baseline=_token(message.baseline, f"{where}: baseline"),
        sticky=tuple(_source(source, where) for source in message.sticky),
        cohorts=tuple(_rule(rule, where) for rule in message.cohorts),
        observe_body=message.observe_body,
        observe_sampled=message.observe_sampled,
        follow_up_ms=message.follow_up_ms,
        tokens=_tokens(message.tokens, where) if message.HasField("tokens") else None,
        feedback=_feedback(message.feedback, where) if message.HasField("feedback") else None,
        slices=_slices(message.slices, where),
    )


def _slices(dimensions: Sequence[outcomes_pb2.SliceDimension], where: str) -> tuple[SliceDimension, ...]:
    combinations = prod(len(dimension.values) + 1 for dimension in dimensions)
    if len(dimensions) > DIMENSIONS_MAX or combinations > COMBINATIONS_MAX:
        raise BadPolicyError(f"{where}: {len(dimensions)} dimensions of {combinations} slices, too many")
    return tuple(_dimension(dimension, where) for dimension in dimensions)


def _dimension(message: outcomes_pb2.SliceDimension, where: str) -> SliceDimension:
    where = f"{where}: slices by {message.name!r}"
    rules = [_rule(value, where) for value in message.values]
    for name in (message.name, *(rule.name for rule in rules)):
        if not _NAME.fullmatch(name):
            raise BadPolicyError(f"{where}: {name!r} is no name")
    return SliceDimension(message.name, tuple(SliceValue(rule.name, rule.when) for rule in rules))


def _tokens(message: outcomes_pb2.TokenPolicy, where: str) -> TokenPolicy:
    versions = tuple(_token(version, f"{where}: version of tokens") for version in _filled(message.versions, where))
    return TokenPolicy(_file(message.key_file, f"{where}: key file"), versions)


def _feedback(message: outcomes_pb2.FeedbackPolicy, where: str) -> FeedbackPolicy:
    if len(message.key) != KEY_BYTES:
        raise BadPolicyError(f"{where}: a key of {len(message.key)} bytes for feedback, must be {KEY_BYTES}")
    name = message.token_file
    return FeedbackPolicy(bytes(message.key), _file(name, f"{where}: token file of feedback") if name else "")


def _file(name: str, where: str) -> str:
    if not FILE_NAME.fullmatch(name):
        raise BadPolicyError(f"{where} {name!r} is not the name of a file")
    return name


def _source(message: outcomes_pb2.StickySource, where: str) -> StickySource:
    try:
        kind = StickyKind(message.kind)
    except ValueError:
        raise BadPolicyError(f"{where}: sticky kind {message.kind!r} is unknown to this sidecar") from None
    if kind is StickyKind.REQUEST:
        return StickySource(kind)
    _token(message.name, f"{where}: name of a sticky {message.kind}")
    return StickySource(kind, message.name.lower() if kind is StickyKind.HEADER else message.name)


def _rule(message: outcomes_pb2.CohortRule, where: str) -> CohortRule:
    where = f"{where}: cohort {message.name!r}"
    _token(message.name, f"{where}: name")
    if message.pin:
        _token(message.pin, f"{where}: pin")
    form = message.WhichOneof("match")
    if form is None:
        raise BadPolicyError(f"{where}: no match that this sidecar knows")
    if form == "when":
        return CohortRule(message.name, _bounded(condition_of(message.when, where), where), message.pin)
    operands = tuple(getattr(message, "in").values) if form == "in" else (getattr(message, form),)
    return CohortRule(message.name, _text(Source.HEADER, message.header, Op(form), operands, where), message.pin)


def condition_of(message: outcomes_pb2.Condition, where: str) -> Condition:
    """Raises BadPolicyError."""
    match message.WhichOneof("kind"):
        case "text":
            test = message.text
            return _text(_source_of(test.source, where), test.name, _op(test.op, where), tuple(test.operands), where)
        case "modulo":
            return _modulo(message.modulo, where)
        case "networks":
            return AddressTest(tuple(_network(text, where) for text in _filled(message.networks.values, where)))
        case "geo":
            return _geo(message.geo, where)
        case "time":
            return _time(message.time, where)
        case "share":
            salt = _token(message.share.salt, f"{where}: salt of a share")
            return ShareTest(_at_most(message.share.share_bp, WEIGHT_TOTAL_BP, f"{where}: share"), salt)
        case "all_of":
            return AllOf(tuple(condition_of(part, where) for part in _filled(message.all_of.parts, where)))
        case "any_of":
            return AnyOf(tuple(condition_of(part, where) for part in _filled(message.any_of.parts, where)))
        case "negated":
            return Not(condition_of(message.negated, where))
    raise BadPolicyError(f"{where}: a condition that this sidecar does not know")


def _bounded(condition: Condition, where: str) -> Condition:
    count = sum(1 for _ in every(condition))
    if depth_of(condition) > CONDITION_DEPTH_MAX or count > CONDITION_COUNT_MAX:
        limits = f"at most {CONDITION_COUNT_MAX} conditions, {CONDITION_DEPTH_MAX} deep"
        raise BadPolicyError(f"{where}: {count} conditions, {depth_of(condition)} deep; {limits}")
    return condition


def _text(source: Source, name: str, op: Op, operands: tuple[str, ...], where: str) -> TextTest:
    if source in NAMED_SOURCES:
        _token(name, f"{where}: {source.value}")
    if source is Source.HEADER:
        name = name.lower()
    wanted = {Op.IN: VALUES_MAX, Op.PRESENT: 0}.get(op, 1)
    if not min(wanted, 1) <= len(operands) <= wanted:
        raise BadPolicyError(f"{where}: {len(operands)} values, must be {min(wanted, 1)} to {wanted}")
    if op is Op.IN_FILE:
        _file(operands[0], f"{where}: list")
    if op is Op.REGEX:
        _regex(operands[0], where)
    return TextTest(source, name, op, operands)


def _regex(pattern: str, where: str) -> None:
    if len(pattern) > REGEX_CHARS_MAX:
        raise BadPolicyError(f"{where}: regex of {len(pattern)} characters, at most {REGEX_CHARS_MAX}")
    try:
        regex.compiled(pattern)
    except regex.BadRegexError as error:
        raise BadPolicyError(f"{where}: regex {pattern!r}: {error}") from None


def _source_of(text: str, where: str) -> Source:
    try:
        return Source(text)
    except ValueError:
        raise BadPolicyError(f"{where}: source {text!r} is unknown to this sidecar") from None


def _op(text: str, where: str) -> Op:
    try:
        return Op(text)
    except ValueError:
        raise BadPolicyError(f"{where}: test {text!r} is unknown to this sidecar") from None


def _modulo(message: outcomes_pb2.ModuloTest, where: str) -> ModuloTest:
    source = _source_of(message.source, where)
    if source in NAMED_SOURCES:
        _token(message.name, f"{where}: {source.value}")
    remainders = tuple(_filled(message.remainders, where))
    if message.divisor < 2 or max(remainders) >= message.divisor:
        raise BadPolicyError(f"{where}: remainders {remainders} of a division by {message.divisor}")
    name = message.name.lower() if source is Source.HEADER else message.name
    return ModuloTest(source, name, message.divisor, remainders)


def _network(text: str, where: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise BadPolicyError(f"{where}: {error}") from None


def _geo(message: outcomes_pb2.GeoTest, where: str) -> GeoTest:
    _filled((*message.countries, *message.continents, *message.regions), where)
    countries, continents, regions = map(tuple, (message.countries, message.continents, message.regions))
    return GeoTest(_file(message.file, f"{where}: file of places"), countries, continents, regions)


def _time(message: outcomes_pb2.TimeTest, where: str) -> TimeTest:
    return TimeTest(
        message.after_s if message.HasField("after_s") else None,
        message.before_s if message.HasField("before_s") else None,
        tuple(_at_most(day, 6, f"{where}: weekday") for day in message.days),
        _at_most(message.from_minute, MINUTES_OF_DAY, f"{where}: minute"),
        _at_most(message.until_minute, MINUTES_OF_DAY, f"{where}: minute"),
    )


def _filled(values: Sequence[T], where: str) -> Sequence[T]:
    if not 0 < len(values) <= VALUES_MAX:
        raise BadPolicyError(f"{where}: {len(values)} values, must be 1 to {VALUES_MAX}")
    return values


def _at_most(number: int, highest: int, what: str) -> int:
    if not 0 <= number <= highest:
        raise BadPolicyError(f"{what} {number}, at most {highest}")
    return number


def _token(text: str, what: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise BadPolicyError(f"{what} {text!r} must be 1 to 253 printable ASCII characters without blanks")
    return text
