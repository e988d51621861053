"""Names of the judged metrics, as both planes write them, with the unit of those that are histograms."""

ERRORS = "errors"
FINISH_LENGTH = "finish_reason:length"
# Of requests that were answered with a finish, or refused for the length of their prompt: those that were refused.
CONTEXT_TOO_LONG = "context_too_long"

# From the request's first byte to the last byte of the response; to the first content of an observed stream, else to
# its first body byte (of the headers, where there is no body); and per token after the first, of streams: microseconds.
# `tokens_out`: tokens of the response.
LATENCY = "latency"
TTFT = "ttft"
TPOT = "tpot"
# The longest time without a piece of a stream, from its first content to its last piece.
TOKEN_GAP = "token_gap"
TOKENS_OUT = "tokens_out"

# Of an observed service `latency` is told apart as well: of answers that came piece by piece, and of the others. Who
# never shows which of both it is (cut off by the follow-up, its body not to be read) counts in both, so that being slow
# never leads out of a comparison.
STREAMS = "streams"
WHOLE = "whole"
EITHER = "either"
FORMS: dict[str, tuple[str, ...]] = {STREAMS: (f"{LATENCY}:{STREAMS}",), WHOLE: (f"{LATENCY}:{WHOLE}",)}
FORMS[EITHER] = FORMS[STREAMS] + FORMS[WHOLE]

# Badness of one observed answer in hundredths, 0..100, as a histogram whose bins are these numbers; means are compared.
# What each says: `extproc.outcome.quality`. The last two only of answers that had to be JSON, or called tools.
REPETITION = "repetition"
MIXED_SCRIPT = "mixed_script"
CONTROL_TOKENS = "control_tokens"
REFUSAL = "refusal"
INVALID_JSON = "invalid_json"
INVALID_TOOL_CALL = "invalid_tool_call"
SCORES = (REPETITION, MIXED_SCRIPT, CONTROL_TOKENS, REFUSAL, INVALID_JSON, INVALID_TOOL_CALL)
BADNESS_WHOLE = 100

# How short answers are: the control plane makes it of `tokens_out`, whose bins are read from the other end.
LOWER = ":lower"
TOKENS_LOWER = TOKENS_OUT + LOWER

# What the sidecar reports only of a service whose body it observes.
BODY_METRICS = (FINISH_LENGTH, CONTEXT_TOO_LONG, *FORMS[EITHER], TPOT, TOKEN_GAP, TOKENS_OUT, TOKENS_LOWER, *SCORES)
# While no rollout runs keys are evidence for nothing, but plans ask how many there are. A row then names the smallest
# hashes of its second, and the control plane keeps as many of a day: the smallest of a day are among those of its
# seconds. The standard error of the count is 1/sqrt(254), 6.3 %; up to this many it is exact.
KEYS_COUNTED = 256
HISTOGRAM_UNITS = {
    **dict.fromkeys((LATENCY, *FORMS[EITHER], TTFT, TPOT, TOKEN_GAP), "us"),
    **dict.fromkeys((TOKENS_OUT, TOKENS_LOWER), "tokens"),
}
# Metrics whose first observations are told together: a first is 64 bits, 20 of the start and 8 of each metric.
TOGETHER_MAX = 5
# Tokens of the prompt as the server counts them, and those of them that it had kept from before. The former are no
# guardrail but show drift: a new tokenizer counts otherwise. The latter are only counted, for dashboards.
TOKENS_IN = "tokens_in"
TOKENS_CACHED = "tokens_cached"
COUNTED = (TOKENS_CACHED,)
# The script that most of an answer's letters are of, by its number here: what language a model answers in, as far as
# letters tell. No guardrail: drift alone looks at it.
SCRIPT = "script"
SCRIPTS: tuple[str, ...] = (
    *("none", "latin", "cyrillic", "cjk", "arabic", "devanagari", "greek", "hebrew", "thai", "bengali", "tamil"),
    *("telugu", "georgian", "armenian", "other"),
)
# Histograms whose bins are the values themselves, 0..100.
NUMBERED = (*SCORES, SCRIPT)

# Values of one answer for histograms, as (metric, value in its unit), those that can be told, in a fixed order.
Measures = tuple[tuple[str, int], ...]
