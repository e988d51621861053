"""A group of proxies that serve the same services. Its name is what its Envoys say as `node.cluster`."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from controlplane.manifest.endpoint import Address
from controlplane.manifest.field import Spec, as_tuple

# The group that exists where no manifest defines one.
DEFAULT_GROUP = "default"

# A node id as Envoy's `--service-node`, with `*`, `?` and `[…]` as in a shell.
_Pattern = Annotated[str, Field(pattern=r"^[!-~]{1,256}$")]


class ProxyGroupSpec(Spec):
    """`listen` is where its proxies serve users. `nodes` None: any node id may join, else those that fit a pattern."""

    listen: Address
    nodes: Annotated[tuple[_Pattern, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=1000)] | None = (
        None
    )
