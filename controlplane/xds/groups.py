"""Which group of proxies a node belongs to. Pure.

`node.cluster` names the group; a group may admit only some node ids. Whoever is of no group gets nothing: a proxy that
was set up for another system must not be given listeners, certificates and credentials of this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from controlplane.xds.errors import NodeNotAdmittedError, UnknownNodeError
from controlplane.xds.events import Node


@dataclass(frozen=True, slots=True)
class GroupBook:
    """By group name: patterns of admitted node ids (`*` any run of characters, `?` any one); none: every id."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def group_of(self, node: Node) -> str:
        """The name of the node's group. Raises UnknownNodeError, NodeNotAdmittedError."""
        patterns = self.groups.get(node.cluster)
        if patterns is None:
            raise UnknownNodeError(node.node_id, node.cluster, self.groups)
        if patterns and not any(fnmatchcase(node.node_id, pattern) for pattern in patterns):
            raise NodeNotAdmittedError(node.node_id, node.cluster)
        return node.cluster
