"""Header and metadata names that Serinus owns. Envoy strips the whole prefix from clients before routing."""

PREFIX = "x-serinus-"
KEY = "x-serinus-key"
BUCKET = "x-serinus-bucket"
COHORT = "x-serinus-cohort"
PIN = "x-serinus-pin"
VERSION = "x-serinus-version"
REQUEST_ID = "x-serinus-request-id"

# Namespace of Envoy's dynamic, route and cluster metadata.
METADATA_NAMESPACE = "serinus"

COHORT_EVERYONE = "everyone"
COHORT_NO_KEY = "no_key"
COHORT_UNTAGGED = "untagged"

# CEL strings that Envoy evaluates; an attribute arrives in the ext_proc message under the very string asked for.
ATTRIBUTE_SERVICE = "xds.route_metadata.filter_metadata['serinus']['service']"
ATTRIBUTE_REQUEST_ID = "request.id"
# The value of the response header x-serinus-request-id.
REQUEST_ID_FORMAT = "%REQ(X-REQUEST-ID)%"
