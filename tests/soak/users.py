"""The users of the soak: what each sends, and what the model server that gets the request must have been told.

Computed here by itself, from the definition of the bucket and the meaning of the rules: nothing of the sidecar or of
the contract is asked, so an error that both shared would show.
"""

from dataclasses import dataclass

import xxhash

from tests.bench.lanes import SALT, WEIGHT_BP

USERS = 200_000
_KINDS = 16
_USUAL = {"x-team": "search", "x-tier": "silver", "x-region": "eu-central-1"}
# By a user's number modulo the kinds: the header that makes the cohort, the cohort, and the version it is pinned to.
_COHORTS: dict[int, tuple[str, str, str, str]] = {
    0: ("x-team", "ml", "staff", "v2"),
    1: ("x-tier", "gold", "paying", "v1"),
    2: ("x-region", "us-east-2", "americas", "v1"),
    3: ("x-region", "ap-south-1", "asia", "v1"),
    4: ("x-tester", "yes", "testers", "v2"),
    5: ("x-tier", "bronze", "berlin", "v1"),
}


@dataclass(frozen=True, slots=True)
class User:
    """`request` as bytes; `told`: the answer's body, what the server saw; `version` the one in the answer's header."""

    request: bytes
    told: bytes
    version: bytes


def user(number: int) -> User:
    name = f"user-{number}@example.com" if number % _KINDS == 6 else f"user-{number}"
    sent = {**_USUAL, "x-user-id": name}
    cohort, pin = ("company", "v2") if number % _KINDS == 6 else ("everyone", "")
    if number % _KINDS in _COHORTS:
        header, value, cohort, pin = _COHORTS[number % _KINDS]
        sent[header] = value
    key = f"{SALT}:{name}"
    bucket = xxhash.xxh64_intdigest(key.encode()) % 10_000
    version = pin or ("v2" if bucket < WEIGHT_BP else "v1")
    told = [version, f"x-serinus-bucket: {bucket}", f"x-serinus-cohort: {cohort}", f"x-serinus-key: {key}"]
    told += [f"x-serinus-pin: {pin}"] if pin else []
    fields = "".join(f"{header}: {value}\r\n" for header, value in sent.items())
    request = f"GET /v1/chat HTTP/1.1\r\nhost: chat.example.com\r\n{fields}\r\n"
    return User(request.encode(), "|".join(told).encode(), f"x-serinus-version: {version}\r\n".encode())
