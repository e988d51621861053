"""The journal's codec: a rollout's state <-> text. The spec is not in it: it stands with the object."""

import json
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.model import Phase, Rollout
from controlplane.store.port import StoreError

FORMAT = 1

_PHASE: TypeAdapter[Phase] = TypeAdapter(Annotated[Phase, Field(discriminator="kind")])


def encode(rollout: Rollout) -> str:
    """One JSON object on one line."""
    fields = {
        "format": FORMAT,
        "baseline": rollout.baseline,
        "started_at_ms": rollout.started_at_ms,
        "revision": rollout.revision,
        "phase": _PHASE.dump_python(rollout.phase, mode="json"),
        "dry_run_told": rollout.dry_run_told,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def decode(name: str, spec: RolloutSpec, text: str) -> Rollout:
    """The state that `encode` wrote. Raises StoreError on anything else."""
    try:
        fields = json.loads(text)
        if fields["format"] != FORMAT:
            raise StoreError(
                f"journal of rollout {name} has format {fields['format']}, this version reads {FORMAT}",
                next_step="start the version that wrote it, or a newer one",
            )
        return Rollout(
            name=name,
            spec=spec,
            baseline=str(fields["baseline"]),
            started_at_ms=int(fields["started_at_ms"]),
            revision=int(fields["revision"]),
            phase=_PHASE.validate_python(fields["phase"]),
            dry_run_told=tuple(map(str, fields.get("dry_run_told", ()))),
        )
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise StoreError(
            f"journal of rollout {name} cannot be read: {type(error).__name__}",
            next_step="restore the state directory from a backup",
        ) from error
