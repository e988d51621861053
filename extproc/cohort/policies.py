"""The cohort policies in force: one immutable set, replaced as a whole.

The semantics are the contract's `evaluate`; each policy is compiled when it comes in force. What is
accepted stays in force while the control plane is away, and over a restart (the shell keeps it on disk).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from extproc.cohort.decision import NO_FILES, CompiledPolicy, Foreseen
from extproc.cohort.files import FileNames, Files, names_of
from extproc.cohort.shapes import Shapes
from extproc.telemetry.tables import Counter, Metric
from serinus.contract.policy import ServicePolicy
from serinus.contract.token import TokenResult


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The policies of all services under one version (a hash of the content; "" for none yet)."""

    version: str = ""
    services: Mapping[str, ServicePolicy] = field(default_factory=dict)

    @property
    def files(self) -> FileNames:
        """The files of the policy folder that these policies need."""
        return names_of(self.services.values())

    def follow_up_ms_max(self, default_ms: int) -> int:
        """The longest wait of any service: no slot may close before it."""
        return max((policy.follow_up_ms or default_ms for policy in self.services.values()), default=default_ms)


class PolicyHolder:
    """The one mutable place that points at the set in force."""

    def __init__(
        self, default_follow_up_ms: int, tokens: Counter | None = None, numbers: Iterator[int] | None = None
    ) -> None:
        """`numbers`: for the ids of requests; those of two processes should begin far from each other."""
        self.numbers = numbers if numbers is not None else count()
        self._tokens = tokens or Counter(Metric("tokens", "by result", ("result",)))
        self.current = PolicySet()
        self.files = NO_FILES
        self._compiled: Mapping[str, CompiledPolicy] = {}
        # Of requests under the policies in force.
        self.shapes: Shapes[Foreseen] = Shapes()
        self._default_follow_up_ms = default_follow_up_ms
        self.follow_up_ms_max = default_follow_up_ms

    def replace(self, policies: PolicySet, files: Files = NO_FILES) -> None:
        """Raises BadFileError for a file that is not there; nothing has changed then."""
        compiled = {name: self._compile(policy, files) for name, policy in policies.services.items()}
        self.current, self.files, self._compiled = policies, files, compiled
        self.shapes = Shapes(policy.key_header for policy in compiled.values() if policy.key_header)
        self.follow_up_ms_max = policies.follow_up_ms_max(self._default_follow_up_ms)

    def _compile(self, policy: ServicePolicy, files: Files) -> CompiledPolicy:
        """With a thousand services mostly one has changed. What asks a file is compiled anew."""
        known = self._compiled.get(policy.service)
        if known is not None and known.policy == policy and not names_of((policy,)):
            return known
        return CompiledPolicy(policy, files, self._count_token)

    def _count_token(self, result: TokenResult) -> None:
        self._tokens.add((result.value,))

    def compiled(self, service: str) -> CompiledPolicy | None:
        return self._compiled.get(service)

    def policy(self, service: str) -> ServicePolicy | None:
        return self.current.services.get(service)

    def follow_up_ms(self, service: str) -> int:
        policy = self.current.services.get(service)
        return (policy.follow_up_ms if policy else 0) or self._default_follow_up_ms

    def observes(self, service: str, *, is_sampled: bool = False) -> bool:
        """Whether the body of a response of this service is looked at. `is_sampled`: the proxy has picked it."""
        policy = self.current.services.get(service)
        return policy is not None and policy.observe_body and (is_sampled or not policy.observe_sampled)
