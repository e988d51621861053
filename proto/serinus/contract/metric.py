"""Names of the judged metrics, as both planes write them, with the unit of those that are histograms."""

ERRORS = "errors"
FINISH_LENGTH = "finish_reason:length"

# From the request's first byte to the last byte of the response; to the first content of an observed stream, else to
# its first body byte (of the headers, where there is no body); and per token after the first, of streams: microseconds.
# `tokens_out`: tokens of the response.
LATENCY = "latency"
TTFT = "ttft"
TPOT = "tpot"
TOKENS_OUT = "tokens_out"

# What the sidecar reports only of a service whose body it observes.
BODY_METRICS = (FINISH_LENGTH, TPOT, TOKENS_OUT)
# While no rollout runs keys are evidence for nothing, but plans ask how many there are. A row then names the smallest
# hashes of its second, and the control plane keeps as many of a day: the smallest of a day are among those of its
# seconds. The standard error of the count is 1/sqrt(254), 6.3 %; up to this many it is exact.
KEYS_COUNTED = 256
HISTOGRAM_UNITS = {LATENCY: "us", TTFT: "us", TPOT: "us", TOKENS_OUT: "tokens"}
