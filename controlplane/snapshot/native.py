"""The routes by which Envoy alone serves a service, as values: who is matched, where they go, what is noted of them.

They stand before the routes that ask the sidecar, and do what the sidecar would have done. A cohort comes before the
next, then everyone with a key, then those without. A request whose key Envoy reads otherwise than the sidecar does
(`native_key.py`) is matched by none of them: the sidecar is asked, as ever.

Cohort and pin stand in the route's metadata; the salted key, the very text that is hashed, is written down by a filter.
The access log has them where the sidecar's own tags would be. The key leaves Envoy over the sidecar's socket only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from google.protobuf.any_pb2 import Any

from controlplane.manifest.cohort import Cohort
from controlplane.manifest.schema import DataPath
from controlplane.snapshot.datapath import choose
from controlplane.snapshot.filters import NATIVE_FILTER, NATIVE_KEY, NATIVE_PART_FILTER, TO_METADATA, TO_STATE
from controlplane.snapshot.match import is_absent, native
from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.native_key import NativeKey, native_key
from controlplane.snapshot.weight_classes import WeightClass, class_of, everyone
from controlplane.snapshot.wire import packed
from serinus.contract import headers
from serinus.envoywire import header_to_metadata_pb2, set_filter_state_pb2
from serinus.envoywire.route_pb2 import HeaderMatcher

# A name that can stand inside Envoy's command.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class NativeRoute:
    """`version` None: dealt by the weight of `weight_class`. `pin`: the version that the cohort is pinned to, in force
    or not. `is_keyed`: those matched have a key that Envoy reads.
    """

    name: str
    matchers: tuple[HeaderMatcher, ...]
    cohort: str
    pin: str
    is_keyed: bool
    version: str | None
    weight_class: WeightClass


def native_routes(service: ServiceRoute) -> tuple[NativeRoute, ...]:
    """In the order in which Envoy must try them; none for a service whose data path is ext_proc."""
    if choose(service.spec).path is not DataPath.NATIVE:
        return ()
    routes = _routes(service, native_key(service.spec.sticky))
    if service.spec.tokens is None:
        return tuple(routes)
    # What a token says only the sidecar can tell: a request that brings one is asked about, as an odd key is.
    return tuple(replace(route, matchers=(*route.matchers, is_absent(headers.TOKEN))) for route in routes)


def _routes(service: ServiceRoute, key: NativeKey) -> Iterator[NativeRoute]:
    for cohort in service.spec.cohorts:
        yield from _cohort(service, cohort, key)
    whole, is_dealt = everyone(service), service.rollout is not None
    name, version = headers.COHORT_EVERYONE, None if is_dealt else service.baseline
    yield NativeRoute(f"native/{name}", key.readable, name, "", True, version, whole)
    if key.keyless is not None:
        name, baseline = headers.COHORT_NO_KEY, service.baseline
        yield NativeRoute(f"native/{name}", key.keyless, name, baseline, False, baseline, whole)


def _cohort(service: ServiceRoute, cohort: Cohort, key: NativeKey) -> Iterator[NativeRoute]:
    """Members with a key and members without: both are asked of every way to tell the cohort."""
    rollout, whole = service.rollout, everyone(service)
    pin = cohort.version(baseline=service.baseline, candidate=rollout.candidate if rollout else "")
    version = pin if rollout is not None and rollout.pins and pin == rollout.candidate else service.baseline
    apart = class_of(service, cohort) if rollout is not None else None
    name = f"native/{cohort.name}"
    for way in native(cohort.condition(service.name)) or ():
        keyed = None if apart is not None else version
        yield NativeRoute(name, (*way, *key.readable), cohort.name, pin, True, keyed, apart or whole)
        if key.keyless is not None:
            matchers, pinned = (*way, *key.keyless), pin or service.baseline
            yield NativeRoute(name, matchers, cohort.name, pinned, False, version, whole)


def noted(route: NativeRoute, service: ServiceRoute) -> dict[str, Any]:
    """The filter by which Envoy writes down the salted key of a request of this route, with its config."""
    if not route.is_keyed:
        return {}
    key, salt = native_key(service.spec.sticky), service.salt
    if key.pattern or not _PLAIN_NAME.fullmatch(key.header):
        found = header_to_metadata_pb2.Config.KeyValuePair(
            metadata_namespace=headers.METADATA_NAMESPACE, key="key", regex_value_rewrite=key.salted(salt)
        )
        rule = header_to_metadata_pb2.Config.Rule(header=key.header, on_header_present=found)
        return {NATIVE_PART_FILTER: packed(header_to_metadata_pb2.Config(request_rules=[rule]), TO_METADATA)}
    text = f"{salt.replace('%', '%%')}:%REQ({key.header})%"
    value = set_filter_state_pb2.FilterStateValue(
        object_key=NATIVE_KEY,
        factory_key="envoy.string",
        format_string=set_filter_state_pb2.SubstitutionFormatString(
            text_format_source=set_filter_state_pb2.DataSource(inline_string=text)
        ),
    )
    return {NATIVE_FILTER: packed(set_filter_state_pb2.Config(on_request_headers=[value]), TO_STATE)}
