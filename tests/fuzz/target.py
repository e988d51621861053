"""What a fuzz target is, and which there are.

A target takes bytes and must come back: it raises on whatever should not be (an exception of the parser, an invariant
that does not hold). Targets are imported by name, because the code under test has to be instrumented while it is
imported. Decoys are targets with a planted fault: a run that does not find it proves nothing.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """`seeds`: well-formed inputs to start from. `long_runs`: each on input far longer than what is mutated, called once
    before; what is worse than linear shows there."""

    execute: Callable[[bytes], None]
    seeds: Sequence[bytes]
    long_runs: Sequence[Callable[[], object]] = ()
    # Mutated inputs are no longer: a bug that needs more of them is rare, and every one costs time.
    bytes_max: int = 512


@dataclass(frozen=True, slots=True)
class Entry:
    """`module` defines TARGETS. `finds` is what a decoy's run must end with, "" for a target."""

    module: str
    title: str
    finds: str = ""


TARGETS: Mapping[str, Entry] = {
    "h2": Entry("tests.fuzz.target_h2", "HTTP/2 connection"),
    "hpack": Entry("tests.fuzz.target_hpack", "HPACK and Huffman"),
    "framing": Entry("tests.fuzz.target_framing", "gRPC framing and status"),
    "processing": Entry("tests.fuzz.target_processing", "ProcessingRequest streams"),
    "accesslog": Entry("tests.fuzz.target_accesslog", "StreamAccessLogsMessage"),
    "transport": Entry("tests.fuzz.target_transport", "calls on a connection, with the sidecar's handlers"),
}
DECOYS: Mapping[str, Entry] = {
    "decoy-crash": Entry("tests.fuzz.decoys", "a check that is missing", finds="crash"),
    "decoy-hang": Entry("tests.fuzz.decoys", "a loop that does not end", finds="hang"),
    "decoy-memory": Entry("tests.fuzz.decoys", "a table without a bound", finds="memory"),
}
ALL: Mapping[str, Entry] = {**TARGETS, **DECOYS}


def load(name: str) -> Target:
    """Imports the target, and with it the code under test."""
    targets: Mapping[str, Target] = importlib.import_module(ALL[name].module).TARGETS
    return targets[name]
