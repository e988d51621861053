"""The two acts of the demo as values: what is released over what, by which manifests, and how it must end. Pure.

The manifests are honest about being a demo: two real model servers on two cores answer some 12 requests/s, so the
steps are few, the harm budget is 5 % where a service would take 0.25 %, and a step may end after 5 s. They are printed
before they are applied.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SERVICE = "chat"
# Judged after the same time for both arms. 95 % of 2,448 answers took less than 1.4 s on a machine that did other
# things too, the broken model's 0.3 s.
FOLLOW_UP = "3s"
MIN_STEP = "5s"


@dataclass(frozen=True, slots=True)
class Act:
    """One release. `ends`: the phase it must end in."""

    key: str
    title: str
    baseline: str
    candidate: str
    is_broken: bool
    ends: str

    @property
    def rollout(self) -> str:
        return f"{SERVICE}-{self.candidate}"


GOOD = Act(
    key="good",
    title="Act 1: a good candidate is promoted",
    baseline="v1",
    candidate="v2",
    is_broken=False,
    ends="promoted",
)
BAD = Act(
    key="bad",
    title="Act 2: a broken candidate that answers HTTP 200 is rolled back",
    baseline="v2",
    candidate="v3",
    is_broken=True,
    ends="rolled_back",
)
ACTS = {"good": (GOOD,), "bad": (BAD,), "all": (GOOD, BAD)}


def service_manifest(act: Act, endpoints: Mapping[str, str]) -> str:
    """The service with the act's two versions. `endpoints`: version -> HOST:PORT."""
    versions = "".join(
        f'    - {{name: {version}, endpoints: ["{endpoints[version]}"], health: {{path: /health}}}}\n'
        for version in (act.baseline, act.candidate)
    )
    return f"""apiVersion: serinus/v1
kind: Service
metadata: {{name: {SERVICE}}}
spec:
  protocol: openai
  hosts: ["*"]
  prefix: /v1/
  sticky: {{header: x-user-id}}
  versions:
{versions}  baseline: {act.baseline}
  observe: {{body: true}}
"""


def rollout_manifest(act: Act) -> str:
    """The release itself."""
    return f"""apiVersion: serinus/v1
kind: Rollout
metadata: {{name: {act.rollout}}}
spec:
  service: {SERVICE}
  candidate: {act.candidate}
  steps: [10%, 50%, 100%]
  pace: {{min_step: {MIN_STEP}, follow_up: {FOLLOW_UP}}}
  harm_budget: 5%
  guardrails:
    - {{metric: errors}}
    - {{metric: finish_reason, of: length, margin: 20pp}}
"""
