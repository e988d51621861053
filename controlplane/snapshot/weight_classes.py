"""The weight classes of a service: which cohorts are dealt by a multiple of the rollout's weight, and by what weight.

Cohorts of one factor are one class: one route with weights of its own, whose metadata says the class and its weight, so
that the sidecars report the class apart and check each bucket against the weight that it was routed by. Class "1" is
everyone: it needs no route of its own, and neither does a cohort of that factor. Values in, values out.
"""

from dataclasses import dataclass

from controlplane.manifest.cohort import Cohort
from controlplane.snapshot.match import one_of
from controlplane.snapshot.model import ServiceRoute
from serinus.contract import headers
from serinus.contract.weight import CLASS_EVERYONE, class_weight_bp
from serinus.envoywire.route_pb2 import HeaderMatcher


@dataclass(frozen=True, slots=True)
class WeightClass:
    """`weight_bp` is the candidate's in this class; `cohorts` are its members, in the order of the rules."""

    name: str
    weight_bp: int
    cohorts: tuple[str, ...] = ()

    def members(self) -> tuple[HeaderMatcher, ...]:
        """The sidecar said that the request is in one of the class's cohorts: any of these."""
        return one_of(headers.COHORT, self.cohorts)


def everyone(service: ServiceRoute) -> WeightClass:
    """The class that is dealt by the rollout's own weight; 0 without a rollout."""
    return WeightClass(CLASS_EVERYONE, service.rollout.weight_bp if service.rollout else 0)


def class_of(service: ServiceRoute, cohort: Cohort) -> WeightClass | None:
    """The class of a cohort, itself as the only member; None if it is pinned or excluded."""
    if cohort.weight_factor is None:
        return None
    weight_bp = class_weight_bp(everyone(service).weight_bp, cohort.weight_factor)
    return WeightClass(cohort.weight_factor, weight_bp, (cohort.name,))


def classes_apart(service: ServiceRoute) -> tuple[WeightClass, ...]:
    """All classes but everyone's, in the order of their first cohort."""
    found: dict[str, WeightClass] = {}
    for cohort in service.spec.cohorts:
        own = class_of(service, cohort)
        if own is not None and own.name != CLASS_EVERYONE:
            before = found[own.name].cohorts if own.name in found else ()
            found[own.name] = WeightClass(own.name, own.weight_bp, (*before, cohort.name))
    return tuple(found.values())
