"""Names of the judged metrics, as both planes write them."""

ERRORS = "errors"
FINISH_LENGTH = "finish_reason:length"

# The sidecar reports all of them for a service whose body it observes, `errors` alone otherwise.
BODY_METRICS = (FINISH_LENGTH,)
