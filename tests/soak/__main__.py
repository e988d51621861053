"""`python -m tests.soak [--requests N]`, `make soak`: millions of requests through a real Envoy and the sidecar.

Every request goes through Envoy (two workers), is tagged by the sidecar's process over its own transport, and reaches a
model server that tells what tags it was sent; the client holds each answer against its own computation of cohort,
bucket and version. Envoy's access log goes to the same sidecar, which reports to a control plane that acknowledges.

Exit code 0 if no tag was wrong, lost or doubled, every request was logged once, and the sidecar's memory stayed flat.
Progress goes to standard error, a report to `reports/soak/soak.json`. A request waits a second for its tag instead of
50 ms: what a busy machine delays is not the subject.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.lanes import TAGGED, UNTAGGED, Lane, LaneSpec, lanes
from tests.bench.worker import Worker
from tests.e2e.sidecar_process import ledger
from tests.unit.extproc.controlplane import RecordingControlPlane, control_plane

REQUESTS = 10_000_000
CHUNK = 100_000
# Memory is compared with what it was after so many: by then every cache has been filled.
SETTLED_AFTER = 1_000_000
RSS_MORE_MB_MAX = 5.0
RSS_MB_MAX = 120.0
RESULTS = Path("reports/soak")
WRITTEN = "access_logs.grpc_access_log.logs_written"
_MB = 1_048_576
_LOGS_S = 30.0


@dataclass
class Report:
    """`rss_mb` by requests. `faults` by kind, as the client saw them."""

    requests: int
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    rss_mb: dict[int, float] = field(default_factory=dict)
    tags_received: int = 0
    untagged: int = 0
    logs_written: int = 0
    logs_received: int = 0
    outcomes_reported: int = 0
    sidecar_cpu_us: float = 0.0

    def verdicts(self) -> dict[str, bool]:
        settled = min(SETTLED_AFTER, self.requests // 2 // CHUNK * CHUNK) or min(self.rss_mb)
        last = self.rss_mb[max(self.rss_mb)]
        return {
            "no tag wrong, lost or doubled": not self.faults and not self.untagged,
            "every request was tagged once": self.tags_received == self.requests,
            "every request was logged once": self.logs_written == self.logs_received == self.requests,
            f"memory grew by {last - self.rss_mb[settled]:.1f} MB since {settled:,} requests, at most "
            f"{RSS_MORE_MB_MAX:g}": last - self.rss_mb[settled] <= RSS_MORE_MB_MAX,
            f"memory is {last:.1f} MB, at most {RSS_MB_MAX:g}": last <= RSS_MB_MAX,
        }


async def _soak(requests: int) -> Report:
    report = Report(requests)
    spec = LaneSpec("soak", "own", tags=True, logs=True, shows_tags=True, envoy_workers=2, timeout_ms=1_000)
    async with control_plane() as plane, lanes([spec], controlplane=f"127.0.0.1:{plane.port}") as (lane,):
        client = await Worker.start("tests.soak.client")
        before, began_s = await lane.stats(), time.monotonic()
        received_before = await _settled(lane, before)
        faults: Counter[str] = Counter()
        for first in range(0, requests, CHUNK):
            count = min(CHUNK, requests - first)
            saw = await client.ask("run", port=lane.port, count=count, first=first)
            faults.update(saw["faults"])
            report.examples = (report.examples + saw["examples"])[:5]
            report.rss_mb[first + count] = lane.sidecar_rss_bytes() / _MB
            report.seconds = time.monotonic() - began_s
            report.outcomes_reported += _reported(plane)
            _tell(report, first + count, faults)
        report.faults = dict(faults)
        await client.stop()
        after = await lane.stats()
        _count(report, before, after)
        report.logs_received = await _settled(lane, after) - received_before
        report.outcomes_reported += _reported(plane)
    return report


def _count(report: Report, before: dict[str, int], after: dict[str, int]) -> None:
    def more(name: str) -> int:
        return after.get(name, 0) - before.get(name, 0)

    report.tags_received, report.untagged, report.logs_written = more(TAGGED), more(UNTAGGED), more(WRITTEN)
    report.sidecar_cpu_us = more("sidecar_ns") / report.requests / 1_000


async def _settled(lane: Lane, stats: dict[str, int]) -> int:
    """Entries that the sidecar has received, once those that Envoy had written then are there, or the time is over."""
    assert lane.sidecar is not None
    deadline_s = time.monotonic() + _LOGS_S
    while True:
        received = int(ledger(lane.sidecar.run_dir)["received"])
        if received >= stats.get(WRITTEN, 0) or time.monotonic() > deadline_s:
            return received
        await asyncio.sleep(0.2)


def _reported(plane: RecordingControlPlane) -> int:
    """Requests in the batches since the last look; batches are not kept."""
    batches, plane.batches = plane.batches, []
    return sum(row.requests for batch in batches for row in batch.rows)


def _tell(report: Report, done: int, faults: Counter[str]) -> None:
    rate = done / report.seconds
    left_s = (report.requests - done) / rate
    print(
        f"{done:>12,} requests  {rate:,.0f}/s  sidecar {report.rss_mb[done]:.1f} MB  "
        f"faults {dict(faults) or 'none'}  {left_s:,.0f} s to go",
        file=sys.stderr,
        flush=True,
    )


def _written(report: Report, verdicts: dict[str, bool]) -> Path:
    RESULTS.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {**asdict(report), "verdicts": verdicts}
    path = RESULTS / "soak.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"how many (default: {REQUESTS:,})")
    report = asyncio.run(_soak(parser.parse_args().requests))
    verdicts = report.verdicts()
    path = _written(report, verdicts)
    for text, is_met in verdicts.items():
        print(f"{'met' if is_met else 'MISSED'}: {text}")
    for example in report.examples:
        print(f"  {example}")
    rate = report.requests / report.seconds
    print(f"{report.requests:,} requests in {report.seconds:,.0f} s, {rate:,.0f}/s; {report.untagged} untagged; {path}")
    return int(not all(verdicts.values()))


if __name__ == "__main__":
    sys.exit(main())
