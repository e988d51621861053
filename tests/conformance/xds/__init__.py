"""The rules of the xDS protocol, each as one test on a real gRPC channel that quotes it. `docs/xds.md` lists them by row.

Not here, since they cannot apply: TTL of resources (row 22; Envoy 1.40 does not advertise that it knows them, and nothing
of ours expires: that none is sent is a test), aliases of on-demand virtual hosts (row 25; virtual hosts are pushed, so
that no request waits for one), `resource_errors` (row 28; Envoy 1.40 does not read them).
"""
