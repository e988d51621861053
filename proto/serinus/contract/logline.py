"""The line that Envoy writes about a request: one custom tag of its access-log entry, instead of one for each value.

The control plane spells it (a format string in these orders), the sidecar reads it back. One tag of text is read at a
third of the cost of nine tags in random order beside six messages of protobuf. Two halves: what many requests have in
common, between blanks, so that it is read once and looked up from then on; then what is the request's own. A tab opens
the first half and each value of the second; a value that Envoy does not have is empty. No value contains a blank or a
tab (names come from manifests, the method is a token, the request id is Envoy's) but for the key of a native route,
which is the client's text: such a line can still be told apart from both ends. A change of form is another `TAG`; the
form before is read too, since sidecars are upgraded first.
"""

from collections.abc import Mapping, Sequence

TAG = "serinus.line4"
TAG_BEFORE = "serinus.line3"
# Envoy writes an entry of a request that still runs this often after its start: 0.3 % of a core for 1,000 streams.
RUNNING_MS = 1_000
TAB = "\t"

# As they stand in the route's metadata; the version in the cluster's; cohort, pin and slices in the sidecar's own tag.
# `grpc` is the status of a gRPC call, as a number; `sampled` says anything where the proxy has picked this response, of
# those that are looked at by sample.
SHARED = (
    "service",
    "rollout",
    "snapshot",
    "weight_bp",
    "weight_class",
    "candidate",
    "baseline",
    "version",
    "flags",
    "code",
    "method",
    "attempts",
    "type",
    "cohort",
    "pin",
    "grpc",
    "sampled",
    "slices",
)
SHARED_BEFORE = SHARED[:-1]
# Bucket and key in the sidecar's own tag; then microseconds: the start since 1970, and since the start the last byte to
# the client, the first byte of the upstream's headers, of its body, and its last; and how many milliseconds it has run:
# all that Envoy says of the time before there is a last byte.
OWN = ("bucket", "key", "start_us", "sent_us", "headers_us", "body_us", "finished_us", "ran_ms", "request_id")


def line_format(formats: Mapping[str, str]) -> str:
    """The tag's value, from Envoy's command for each name."""
    return TAB + " ".join(formats[name] for name in SHARED) + TAB + TAB.join(formats[name] for name in OWN)


def values_of(line: str, shared_names: Sequence[str] = SHARED) -> dict[str, str]:
    """All values of a line by name. Raises ValueError for a line of another form."""
    _, shared, own = line.split(TAB, 2)
    bucket, rest = own.split(TAB, 1)
    values = (bucket, *rest.rsplit(TAB, len(OWN) - 2))
    return dict(zip(shared_names, shared.split(" "), strict=True)) | dict(zip(OWN, values, strict=True))
