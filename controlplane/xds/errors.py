"""What a client may do wrong on an ADS stream: each ends that stream alone."""

from collections.abc import Iterable

from controlplane.errors import SerinusError


class StreamError(SerinusError):
    """A request that the stream cannot go on from. `code` is mapped to a gRPC status by the server."""

    code = "xds_invalid_request"


class UnknownTypeError(StreamError):
    """A type URL that is none of xDS: whoever asks for it is no Envoy, or is misconfigured."""

    def __init__(self, type_url: str) -> None:
        super().__init__(
            f"the type URL {type_url!r} is none of xDS",
            next_step="ask for clusters, endpoints, secrets, extensions, listeners, routes or virtual hosts (v3)",
        )


class TooManyStreamsError(StreamError):
    """More streams than the whole server may hold."""

    code = "xds_too_many_streams"

    def __init__(self, whose: str, streams_max: int) -> None:
        super().__init__(f"{whose} has {streams_max} streams open already", next_step="close one of them")


class UnknownNodeError(StreamError):
    """A node of no group, or one that its group does not admit."""

    code = "xds_unknown_node"

    def __init__(self, node_id: str, cluster: str, groups: Iterable[str]) -> None:
        known = ", ".join(sorted(groups)) or "none"
        super().__init__(
            f"node {node_id!r} says that its cluster is {cluster!r}: no such proxy group; groups: {known}",
            next_step="set node.cluster in Envoy's bootstrap (serinus bootstrap --node-cluster), or apply a ProxyGroup",
        )


class NodeNotAdmittedError(StreamError):
    """The group is there, but its manifest does not list this node."""

    code = "xds_unknown_node"

    def __init__(self, node_id: str, group: str) -> None:
        super().__init__(
            f"proxy group {group} does not admit node {node_id!r}",
            next_step=f"add it to `nodes` of ProxyGroup {group}, or set another node.id",
        )


class ForeignCertificateError(StreamError):
    """The node comes with the certificate of another."""

    code = "xds_unknown_node"


class SupersededError(StreamError):
    """The node has opened a newer stream; this one is dropped."""

    code = "xds_superseded"

    def __init__(self, node_id: str) -> None:
        super().__init__(
            f"node {node_id!r} has opened a newer stream",
            next_step="nothing, if the proxy has reconnected; else give every Envoy a node.id of its own",
        )


class DuplicateNodeError(StreamError):
    """Two proxies say that they are the same node and have superseded each other again and again."""

    code = "xds_duplicate_node"

    def __init__(self, node_id: str) -> None:
        super().__init__(
            f"node {node_id!r} is connected already, and two proxies have taken turns under this id",
            next_step="give every Envoy a node.id of its own",
        )
