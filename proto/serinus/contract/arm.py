"""The two arms of a rollout: the version in force and the version on trial."""

import enum


class Arm(enum.Enum):
    BASELINE = "baseline"
    CANDIDATE = "candidate"
