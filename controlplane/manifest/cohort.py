"""Cohorts as a manifest says them: who is in (`match`), and where they go (`pin`, `exclude` or `weight_factor`).

A match has exactly one key: a test of one thing, or `all`, `any`, `not` of other matches. What is dumped of a cohort
goes into the hash of its service's routing: keys that are not given leave no trace there, so that a cohort of an older
release keeps its hash.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from controlplane.manifest.field import Name, PercentBp, Spec, as_tuple
from controlplane.manifest.geo import GeoMatch
from controlplane.manifest.text_match import HeaderMatchSpec, NamedMatch, TextMatch
from serinus.contract import condition as contract
from serinus.contract.condition import Condition, Source

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAYS = get_args(Weekday)
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
# A rollout's weight has four decimal places; three more make a class of 0.001 still grow step by step.
_FACTOR_MIN, _FACTOR_MAX = Decimal("0.001"), Decimal(1000)


def _instant_s(value: object) -> object:
    """RFC 3339 with an offset -> seconds since 1970."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError(f"{value!r} is not a moment with its offset, in quotes, for example '2026-03-01T08:00:00Z'")
    return int(moment.timestamp())


def _network(value: object) -> object:
    try:
        return str(ip_network(str(value)))
    except ValueError as error:
        raise ValueError(f"{error}; write an address or a network such as 10.0.0.0/8") from None


def _networks(value: object) -> object:
    return tuple(map(_network, value)) if isinstance(value, list | tuple) else value


class TimeMatch(Spec):
    """`after`, `before`: moments. `days`, `from`, `until`: of each week and day, in UTC."""

    after_s: Annotated[int | None, BeforeValidator(lambda v: None if v is None else _instant_s(v))] = Field(
        default=None, alias="after"
    )
    before_s: Annotated[int | None, BeforeValidator(lambda v: None if v is None else _instant_s(v))] = Field(
        default=None, alias="before"
    )
    days: Annotated[tuple[Weekday, ...], BeforeValidator(as_tuple), Field(max_length=7)] = ()
    from_: Annotated[str, Field(pattern=_CLOCK)] | None = Field(default=None, alias="from")
    until: Annotated[str, Field(pattern=_CLOCK)] | None = None

    @model_validator(mode="after")
    def _something(self) -> "TimeMatch":
        if (self.from_ is None) != (self.until is None):
            raise ValueError("`from` and `until` belong together, for example {from: '18:00', until: '08:00'}, in UTC")
        if self.from_ is not None and self.from_ == self.until:
            raise ValueError("`from` and `until` are the same minute")
        if self.after_s is None and self.before_s is None and not self.days and self.from_ is None:
            raise ValueError("a time match needs after, before, days, or from and until")
        if self.after_s is not None and self.before_s is not None and self.after_s >= self.before_s:
            raise ValueError("`after` is not before `before`: nobody would ever match")
        return self

    def test(self) -> Condition:
        days = tuple(sorted({_WEEKDAYS.index(day) for day in self.days}))
        if self.from_ is None or self.until is None:
            return contract.TimeTest(self.after_s, self.before_s, days)
        return contract.TimeTest(self.after_s, self.before_s, days, _minute(self.from_), _minute(self.until))


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


class SourceMatch(Spec):
    """The client's address."""

    networks: Annotated[tuple[str, ...], BeforeValidator(_networks), Field(alias="in", min_length=1, max_length=1000)]


class ShareMatch(Spec):
    """So many of the users, always the same ones. Rules of one salt mean the same users."""

    of: PercentBp
    salt: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]{1,100}$")] | None = None


def bounded(value: object) -> object:
    """Depth and size, looked at before the models walk down."""
    level, depth, count = [value], 0, 0
    while level:
        depth, count = depth + 1, count + len(level)
        if depth > contract.CONDITION_DEPTH_MAX:
            raise ValueError(f"nested deeper than {contract.CONDITION_DEPTH_MAX}; next: write several cohorts")
        if count > contract.CONDITION_COUNT_MAX:
            raise ValueError(f"more than {contract.CONDITION_COUNT_MAX} matches in one; next: write several cohorts")
        level = [part for each in level for part in _parts(each)]
    return value


def _parts(value: object) -> list[object]:
    if not isinstance(value, dict):
        return []
    lists = [rows for key in ("all", "any", "all_of", "any_of") if isinstance(rows := value.get(key), list)]
    return [*(part for rows in lists for part in rows), *(value[key] for key in ("not", "not_") if key in value)]


class CohortMatch(Spec):
    """Exactly one of these."""

    header: HeaderMatchSpec | None = None
    cookie: NamedMatch | None = None
    query: NamedMatch | None = None
    path: TextMatch | None = None
    method: TextMatch | None = None
    key: TextMatch | None = None
    source: SourceMatch | None = None
    time: TimeMatch | None = None
    share: ShareMatch | None = None
    all_of: Annotated[tuple["CohortMatch", ...], BeforeValidator(as_tuple), Field(min_length=1)] | None = Field(
        default=None, alias="all"
    )
    any_of: Annotated[tuple["CohortMatch", ...], BeforeValidator(as_tuple), Field(min_length=1)] | None = Field(
        default=None, alias="any"
    )
    not_: "CohortMatch | None" = Field(default=None, alias="not")
    geo: GeoMatch | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "CohortMatch":
        if sum(value is not None for value in self.__dict__.values()) != 1:
            known = "header, cookie, query, path, method, key, source, geo, time, share, all, any, not"
            raise ValueError(f"a match needs exactly one of {known}; next: put several into `all` or `any`")
        return self

    @model_serializer(mode="wrap")
    def _dumped(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}

    def condition(self, salt: str) -> Condition:
        """The contract's form. `salt` is that of shares which have none of their own."""
        for source, named in ((Source.HEADER, self.header), (Source.COOKIE, self.cookie), (Source.QUERY, self.query)):
            if named is not None:
                return named.test(source, named.name)
        for source, match in ((Source.PATH, self.path), (Source.METHOD, self.method), (Source.KEY, self.key)):
            if match is not None:
                return match.test(source)
        if self.source is not None:
            return contract.AddressTest(self.source.networks)
        if self.geo is not None:
            return self.geo.test()
        if self.time is not None:
            return self.time.test()
        if self.share is not None:
            return contract.ShareTest(self.share.of, share_salt(self.share.salt or salt))
        if self.all_of is not None:
            return contract.AllOf(tuple(part.condition(salt) for part in self.all_of))
        if self.any_of is not None:
            return contract.AnyOf(tuple(part.condition(salt) for part in self.any_of))
        assert self.not_ is not None, "one key is there: checked when it was read"
        return contract.Not(self.not_.condition(salt))


def share_salt(text: str) -> str:
    """A share must not be dealt as a rollout is: rollouts' salts are names, which hold no slash."""
    return f"cohort/{text}"


def _factor(value: object) -> object:
    """A factor as the name of its weight class: its shortest decimal digits."""
    try:
        factor = Decimal(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except InvalidOperation:
        factor = None
    if factor is None or factor.is_nan() or not _FACTOR_MIN <= factor <= _FACTOR_MAX or factor % _FACTOR_MIN:
        raise ValueError(
            f"{value!r} is not a factor from {_FACTOR_MIN} to {_FACTOR_MAX} with at most three decimal places; "
            "write 0.5 for half the rollout's weight, or `exclude: true` for none"
        )
    return f"{factor.normalize():f}"


class Cohort(Spec):
    name: Name
    match: Annotated[CohortMatch, BeforeValidator(bounded)]
    pin: Literal["candidate", "baseline"] | None = None
    exclude: bool = False
    # The name of the cohort's weight class: these are dealt by so many times the rollout's weight.
    weight_factor: Annotated[str, BeforeValidator(_factor)] | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> "Cohort":
        if (self.pin is not None) + self.exclude + (self.weight_factor is not None) != 1:
            ways = "`pin: candidate`, `pin: baseline`, `exclude: true`, or a `weight_factor`"
            raise ValueError(f"a cohort needs exactly one of {ways}")
        return self

    @model_serializer(mode="wrap")
    def _dumped(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name != "exclude" or value}

    def condition(self, service: str) -> Condition:
        """Who is in it, as the contract has it."""
        return self.match.condition(f"{service}/{self.name}")

    def version(self, *, baseline: str, candidate: str) -> str:
        """The version that members are pinned to; "" if a weight deals them. Excluded ones never meet a candidate."""
        if self.weight_factor is not None:
            return ""
        return candidate if self.pin == "candidate" else baseline
