"""Header and metadata names that Serinus owns. Envoy strips the whole prefix from clients before routing."""

PREFIX = "x-serinus-"
KEY = "x-serinus-key"
BUCKET = "x-serinus-bucket"
COHORT = "x-serinus-cohort"
PIN = "x-serinus-pin"
VERSION = "x-serinus-version"
REQUEST_ID = "x-serinus-request-id"

# What a tester sends. Not under the prefix, or Envoy would strip it; model servers never see it.
TOKEN = "serinus-token"

# Namespace of Envoy's dynamic, route and cluster metadata.
METADATA_NAMESPACE = "serinus"

COHORT_EVERYONE = "everyone"
COHORT_NO_KEY = "no_key"
COHORT_UNTAGGED = "untagged"
COHORT_TOKEN = "token"

# CEL strings that Envoy evaluates; an attribute arrives in the ext_proc message under the very string asked for, in
# attributes["envoy.filters.http.ext_proc"]. Verified on Envoy 1.40.0: the first at request headers (it is the route
# matched before the tags clear the route cache), the second at response headers of a filter
# in observability mode, equal to the access log's request id.
ATTRIBUTE_SERVICE = "xds.route_metadata.filter_metadata['serinus']['service']"
# Of the one route that takes feedback.
METADATA_FEEDBACK = "feedback"
ATTRIBUTE_FEEDBACK = "xds.route_metadata.filter_metadata['serinus']['feedback']"
ATTRIBUTE_REQUEST_ID = "request.id"
# The client's address and port as Envoy takes it to be. With use_remote_address it is the connection's own peer, which
# no client can choose, while of x-forwarded-for all but the last entry is the client's word.
ATTRIBUTE_SOURCE = "source.address"
# Where the stamp of a request stands in the sidecar's dynamic metadata, for services with feedback. No header: the
# model server must not get it, and once it is taken away the response's headers cannot be made from it.
METADATA_STAMP = "stamp"
# The value of the response header x-serinus-request-id. Verified on Envoy 1.40.0, with use_remote_address a client
# cannot choose it.
REQUEST_ID_FORMAT = "%REQ(X-REQUEST-ID)%"
# The same for a service with feedback; `serinus.contract.feedback` reads it.
FEEDBACK_ID_FORMAT = (
    f"%DYNAMIC_METADATA({METADATA_NAMESPACE}:{METADATA_STAMP})%"
    f".%METADATA(ROUTE:{METADATA_NAMESPACE}:snapshot)%"
    f".%CLUSTER_METADATA({METADATA_NAMESPACE}:version)%"
)
