"""What both kinds of stream do with a request before they look into it: who asks, and for what. Pure."""

from collections.abc import Iterable

from controlplane.snapshot.resource import Resource
from controlplane.xds.errors import StreamError, UnknownTypeError
from controlplane.xds.events import Node
from controlplane.xds.order import TYPE_ORDER, UNSERVED_TYPES

# Node ids are host or pod names (253 bytes at most); they end up in reports.
NODE_ID_BYTES_MAX = 256
# Envoy's words can name every resource of a response. 2 KiB hold the first ones, and end up on the rollout.
NACK_MESSAGE_CHARS_MAX = 2_048
_TYPE_URL_CHARS_SHOWN = 200
_OVERDUE_MESSAGE = (
    "no answer to new or changed clusters for 30 s: Envoy cannot warm them, or has refused them in silence; "
    "next: look for `warming_clusters` and `cds.update_rejected` in its statistics and for its log"
)


def first_node(node: Node | None) -> Node:
    """The node of a stream's first request. Raises StreamError: it is guaranteed there, and only there."""
    if node is None or not node.node_id:
        raise StreamError("the first request of a stream needs node.id", next_step="set node.id in Envoy's bootstrap")
    if len(node.node_id.encode()) > NODE_ID_BYTES_MAX:
        raise StreamError(f"node.id has more than {NODE_ID_BYTES_MAX} bytes", next_step="use a shorter node.id")
    return node


def is_served(type_url: str) -> bool:
    """Whether Serinus has resources of this type. Raises StreamError for a type that is missing, or is none of xDS."""
    if not type_url:
        raise StreamError("a request on an aggregated stream needs a type_url", next_step="set type_url")
    if type_url in TYPE_ORDER:
        return True
    if type_url in UNSERVED_TYPES:
        return False
    raise UnknownTypeError(type_url[:_TYPE_URL_CHARS_SHOWN])


def overdue(clusters: Iterable[Resource]) -> str:
    """What is shown in the place of Envoy's words, when it has none. The engine looks for names in it."""
    names = ", ".join(sorted(item.name for item in clusters))
    return told(f"{_OVERDUE_MESSAGE}; clusters: {names}" if names else _OVERDUE_MESSAGE)


def told(message: str) -> str:
    """Envoy's words, within bounds."""
    return message[:NACK_MESSAGE_CHARS_MAX]
