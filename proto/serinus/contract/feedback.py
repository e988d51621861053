"""What is said of a request after its answer, and the id by which it finds that request. Nobody remembers requests.

`x-serinus-request-id` is `<stamp>.<snapshot>.<version>`. The stamp is what the sidecar knew when it tagged the request,
signed by a key of the installation: 48 characters of URL-safe base64 of start second (4 bytes), key hash (8; 0: none),
code of the service (6), code of the cohort (4), a number that tells apart what else is alike (6), and a keyed BLAKE2b
of these (8). Snapshot and version are Envoy's and are not signed, since they are known only after the tags: the
control plane knows which versions a bucket may have met under a snapshot, and when the snapshot was in force.

Pure: keys, numbers and times come in. Nothing of a user is in an id but the salted hash that evidence rests on anyway.
"""

import base64
import binascii
import hmac
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct

import xxhash

PATH = "/serinus/feedback"
# Of an installation; as long as BLAKE2b's own digest of 256 bits.
KEY_BYTES = 32
STAMP_CHARS = 48
NUMBER_END = 1 << 48
ID_CHARS_MAX = 200
# Thirty days: what is older is no part of a rollout (`LabelInbox` holds the same).
AGE_S_MAX = 30 * 86_400
# How far the clocks of sidecars and control plane may stand apart.
CLOCK_SKEW_S = 60
BODY_BYTES_MAX = 16_384
# What a client says of the score of its model; a name for what its users did.
EVENT = re.compile(r"[a-z][a-z0-9_]{0,31}")

_MAC_BYTES = 8
_STAMP = Struct(">IQ6sI6s8s")
_HEAD = Struct(">IQ").pack
_CODE = Struct(">I").pack
# By position what urlsafe_b64encode says; half its cost.
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def service_code(service: str) -> bytes:
    """Six bytes that stand for a service."""
    return xxhash.xxh64_digest(service.encode())[:6]


def cohort_code(cohort: str) -> int:
    """32 bits that stand for a cohort, of the hundred that a service has."""
    return xxhash.xxh32_intdigest(cohort.encode())


class Stamper:
    """Stamps of one cohort of one service. `numbers`: no number comes twice within a second."""

    __slots__ = ("_numbers", "_place", "_state")

    def __init__(self, key: bytes, service: str, cohort: str, numbers: Iterator[int]) -> None:
        self._state = blake2b(key=key, digest_size=_MAC_BYTES)
        self._place = service_code(service) + _CODE(cohort_code(cohort))
        self._numbers = numbers

    def stamp(self, start_s: int, key_hash: int) -> bytes:
        """The stamp of a request that starts now."""
        number = next(self._numbers) % NUMBER_END
        said = _HEAD(start_s, key_hash) + self._place + number.to_bytes(6, "big")
        mac = self._state.copy()
        mac.update(said)
        return binascii.b2a_base64(said + mac.digest(), newline=False).translate(_URL_SAFE)


@dataclass(frozen=True, slots=True)
class RequestId:
    """What an id says. `snapshot` and `version` are to be checked yet. `request`: 64 bits that stand for the request;
    `key`: the hash of its sticky key, 0: it had none."""

    start_s: int
    key: int
    service: bytes
    cohort: int
    request: int
    snapshot: str
    version: str


def request_of(key: bytes, text: str) -> RequestId | None:
    """What an id says; None if no stamp of this key is in it."""
    parts = text.split(".")
    if not key or len(text) > ID_CHARS_MAX or len(parts) != 3 or len(parts[0]) != STAMP_CHARS or not text.isascii():
        return None
    try:
        raw = base64.b64decode(parts[0], altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    if len(raw) != _STAMP.size:
        return None
    expected = blake2b(raw[:-_MAC_BYTES], key=key, digest_size=_MAC_BYTES).digest()
    if not hmac.compare_digest(expected, raw[-_MAC_BYTES:]):
        return None
    start_s, key_hash, service, cohort, _, _ = _STAMP.unpack(raw)
    return RequestId(start_s, key_hash, service, cohort, xxhash.xxh64_intdigest(raw), parts[1], parts[2])


def is_too_old(start_s: int, now_s: int) -> bool:
    return now_s - start_s > AGE_S_MAX


def is_ahead(start_s: int, now_s: int) -> bool:
    """It starts in the future by more than clocks stand apart."""
    return start_s - now_s > CLOCK_SKEW_S


@dataclass(frozen=True, slots=True)
class Said:
    """What was said: one of these, or several. A score lies in 0..1, `metric` names it if it is one of several;
    `margin` is the model's own score of yes."""

    score: float | None = None
    predicted: bool | None = None
    actual: bool | None = None
    margin: float | None = None
    event: str = ""
    metric: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """By these words it is counted."""
        has = {"score": self.score is not None, "label": self.actual is not None, "event": bool(self.event)}
        return tuple(kind for kind, is_said in has.items() if is_said)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What was said of a request, as it goes from a sidecar to the control plane."""

    service: str
    request: RequestId
    said: Said


def said_of(fields: Mapping[str, object]) -> Said:
    """From `score`, `metric` (its name), `thumb`, `label` {predicted, actual, margin} and `event`.

    Raises ValueError with what to write.
    """
    if unknown := sorted(set(fields) - {"score", "metric", "thumb", "label", "event"}):
        raise ValueError(f"unknown field {unknown[0][:40]!r}; known: request_id, score, metric, thumb, label, event")
    score, thumb = fields.get("score"), fields.get("thumb")
    if score is not None and thumb is not None:
        raise ValueError("score and thumb are two words for one thing; give one of them")
    if thumb is not None:
        if thumb not in ("up", "down"):
            raise ValueError("thumb is up or down")
        score = 1.0 if thumb == "up" else 0.0
    label = fields.get("label")
    if label is not None and not isinstance(label, Mapping):
        raise ValueError('label is an object, such as {"predicted": true, "actual": false}')
    event, metric = _name(fields, "event", "clicked"), _name(fields, "metric", "helpfulness")
    return checked(Said(_score(score), *_label(label or {}), event, metric))


def checked(said: Said) -> Said:
    """The same. Raises ValueError for what cannot be."""
    if said.score is not None and not 0.0 <= said.score <= 1.0:
        raise ValueError(f"score {said.score} is outside 0..1")
    if said.margin is not None and not math.isfinite(said.margin):
        raise ValueError("margin is no finite number")
    if said.actual is None and (said.predicted is not None or said.margin is not None):
        raise ValueError("label needs actual, the true class")
    if said.actual is not None and said.predicted is None and said.margin is None:
        raise ValueError("label needs predicted, margin or both, beside actual")
    for what, name in (("event", said.event), ("metric", said.metric)):
        if name and not EVENT.fullmatch(name):
            raise ValueError(f"{what} is a name of at most 32 of a-z, 0-9 and _")
    if said.metric and said.score is None:
        raise ValueError("metric is the name of a score; give score too")
    if not said.kinds:
        raise ValueError("nothing is said; give score, thumb, label or event")
    return said


def _name(fields: Mapping[str, object], what: str, example: str) -> str:
    value = fields.get(what)
    if value is None:
        return ""
    if not isinstance(value, str) or not EVENT.fullmatch(value):
        raise ValueError(f"{what} is a name of at most 32 of a-z, 0-9 and _, such as {example}")
    return value


def _score(value: object) -> float | None:
    return None if value is None else _number("score", value)


def _label(label: Mapping[str, object]) -> tuple[bool | None, bool | None, float | None]:
    if unknown := sorted(set(label) - {"predicted", "actual", "margin"}):
        raise ValueError(f"unknown field {unknown[0][:40]!r} of label; known: predicted, actual, margin")
    margin = label.get("margin")
    return (
        _yes_or_no("predicted", label.get("predicted")),
        _yes_or_no("actual", label.get("actual")),
        None if margin is None else _number("margin", margin),
    )


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} is no finite number")
    return number


def _yes_or_no(name: str, value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name} is true or false")
    return value
