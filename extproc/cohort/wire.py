"""`serinus.v1.Policy` -> PolicySet. A bad policy is refused whole: the set before it stays in force.

What goes into request headers (salt, pins, cohort names) must be printable ASCII without blanks: Envoy would refuse
the whole answer otherwise, and every request of the service would pass untagged.
"""

import re
from dataclasses import replace

from extproc.cohort.policies import PolicySet
from extproc.errors import SidecarError
from serinus.contract.policy import CohortRule, ServicePolicy, StickyKind, StickySource
from serinus.v1 import outcomes_pb2

# One Envoy carries some hundred services at most; a message beyond this is a mistake or an attack.
SERVICES_MAX = 10_000
# The manifest's own limits.
STICKY_MAX = 8
COHORTS_MAX = 100
VALUES_MAX = 1_000
_TOKEN = re.compile(r"[!-~]{1,253}")


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
        follow_up_ms=message.follow_up_ms,
    )


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
    _token(message.header, f"{where}: header")
    if message.pin:
        _token(message.pin, f"{where}: pin")
    base = CohortRule(name=message.name, header=message.header.lower(), pin=message.pin)
    match message.WhichOneof("match"):
        case "exact":
            return replace(base, exact=message.exact)
        case "prefix":
            return replace(base, prefix=message.prefix)
        case "in":
            values = tuple(getattr(message, "in").values)
            if not 0 < len(values) <= VALUES_MAX:
                raise BadPolicyError(f"{where}: {len(values)} values, must be 1 to {VALUES_MAX}")
            return replace(base, one_of=values)
    raise BadPolicyError(f"{where}: no match that this sidecar knows")


def _token(text: str, what: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise BadPolicyError(f"{what} {text!r} must be 1 to 253 printable ASCII characters without blanks")
    return text
