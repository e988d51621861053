"""`serinus judge`: the judge on recorded counts. Works offline, talks to no control plane.

Exit code 0 whatever the verdict, 1 for a file that cannot be read or counts that cannot be, 2 for wrong options.
"""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from controlplane.cli.client import EXIT_USAGE, fail
from controlplane.cli.output import OUTPUT_OPTION, Output, emit, table
from controlplane.errors import SerinusError
from controlplane.evidence.bounds import Bound
from controlplane.evidence.errors import CountsError
from controlplane.evidence.kernel import RATIOS
from controlplane.evidence.recorded import EvidencePath, RecordedSlot, judge_recorded
from controlplane.evidence.recorded_file import read
from controlplane.evidence.verdict import Verdict

# Days of seconds for every rollout one has heard of; what is longer is another file.
_FILE_BYTES_MAX = 256 * 1024 * 1024
_ROWS_SHOWN = 12
DEFAULT_RATIOS = ",".join(f"{ratio:g}" for ratio in RATIOS)


def judge(
    slots: Annotated[str, typer.Argument(metavar="SLOTS.csv", help="Recorded counts, CSV or JSON; - for stdin.")],
    alpha: Annotated[float, typer.Option(help="How likely a version that is no worse may be called worse.")] = 0.05,
    ratios: Annotated[str, typer.Option(help="Odds ratios that are looked for, equal stakes.")] = DEFAULT_RATIOS,
    bound: Annotated[
        Bound, typer.Option(help="Of slots without a weight: the urn's exact law, or a bound of it.")
    ] = Bound.AUTO,
    restart_every: Annotated[
        int, typer.Option(metavar="SECONDS", help="Look for faults that begin late too; 0: off.")
    ] = 60,
    output: Annotated[Output, OUTPUT_OPTION] = Output.TABLE,
) -> None:
    """Judge recorded counts. Example: serinus judge slots.csv --alpha 0.05 -o json

    Columns: slot (whole seconds), baseline_n, baseline_k, candidate_n, candidate_k (k: failures), optional weight_bp.
    """
    wanted = _ratios(ratios)
    try:
        rows = read("<stdin>" if slots == "-" else slots, _text(slots))
    except SerinusError as error:
        raise fail(str(error)) from None
    try:
        path = judge_recorded(rows, alpha=alpha, ratios=wanted, bound=bound, restart_every_s=restart_every)
    except SerinusError as error:
        raise fail(str(error), code=EXIT_USAGE) from None
    if output is Output.TABLE:
        _print(rows, path, alpha)
    else:
        emit(values(path), output)


def values(path: EvidencePath) -> dict[str, Any]:
    """What programs read. `log_e` is where the path ends; past the largest double `e` stays there, JSON has no more."""
    log_e = path.log_e[-1] if path.log_e else 0.0
    return {
        "verdict": str(_verdict(path)),
        "log_e": log_e,
        "e": math.exp(log_e) if log_e < math.log(sys.float_info.max) else sys.float_info.max,
        "crossed_at_slot": path.crossed_at_slot,
        "path": [{"slot": slot, "log_e": value} for slot, value in zip(path.slots, path.log_e, strict=True)],
    }


def _verdict(path: EvidencePath) -> Verdict:
    return Verdict.WORSE if path.is_worse else Verdict.NOT_ENOUGH_EVIDENCE


def _ratios(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise fail(f"--ratios {text!r}: numbers above 1, separated by commas", code=EXIT_USAGE) from None


def _text(given: str) -> str:
    """Raises CountsError for what cannot be read."""
    try:
        if given == "-":
            raw = sys.stdin.buffer.read(_FILE_BYTES_MAX + 1)
        else:
            with Path(given).open("rb") as file:
                raw = file.read(_FILE_BYTES_MAX + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CountsError(f"{given}: cannot be read: {error}", next_step="give a CSV or JSON file in UTF-8") from None
    if len(raw) > _FILE_BYTES_MAX:
        raise CountsError(f"{given}: more than {_FILE_BYTES_MAX >> 20} MiB", next_step="judge it in parts")
    return text


def _print(rows: Sequence[RecordedSlot], path: EvidencePath, alpha: float) -> None:
    needed, shown = -math.log(alpha), values(path)
    if path.is_worse:
        typer.echo(
            f"worse: at slot {path.crossed_at_slot} the evidence reached the {needed:.2f} needed (alpha {alpha:g})"
        )
    else:
        most = max(path.log_e, default=0.0)
        typer.echo(f"not enough evidence that it is worse: {most:.2f} at most, {needed:.2f} needed (alpha {alpha:g})")
    for arm in ("baseline", "candidate"):
        bad, count = (sum(getattr(row, f"{arm}_{letter}") for row in rows) for letter in "kn")
        typer.echo(f"{arm:<9} {bad} failures of {count}" + (f" ({bad / count:.3%})" if count else ""))
    typer.echo(f"evidence  {shown['log_e']:.2f} (ln) at the end, over {len(rows)} slots")
    ordered = sorted(rows, key=lambda row: row.slot)
    picked = _picked(path)
    if picked:
        typer.echo("")
        table(
            ("SLOT", "BASELINE", "CANDIDATE", "EVIDENCE", "OF NEEDED"),
            [_line(ordered, path, i, needed) for i in picked],
        )


def _picked(path: EvidencePath) -> list[int]:
    """Evenly over the path, the crossing and the end always."""
    last = len(path.slots) - 1
    steps = min(_ROWS_SHOWN - 1, last)
    places = {round(step * last / steps) for step in range(steps + 1)} if steps > 0 else set(range(last + 1))
    if path.crossed_at_slot is not None:
        places.add(path.slots.index(path.crossed_at_slot))
    return sorted(places)


def _line(rows: Sequence[RecordedSlot], path: EvidencePath, index: int, needed: float) -> tuple[str, ...]:
    row, log_e = rows[index], path.log_e[index]
    mark = "  <- worse" if row.slot == path.crossed_at_slot else ""
    bar = "#" * round(10 * min(max(log_e / needed, 0.0), 2.0))
    return (
        str(row.slot),
        f"{row.baseline_k} of {row.baseline_n}",
        f"{row.candidate_k} of {row.candidate_n}",
        f"{log_e:.2f}",
        f"{bar}{mark}",
    )
