"""Responses as bytes, encoded once for all streams that are sent the same. Bounded; no I/O."""

from collections import OrderedDict
from collections.abc import Hashable

from controlplane.xds.events import DeltaSend, Send
from controlplane.xds.wire import delta_response_prefix, response_prefix, with_nonce

# Seven types, two modes, and the phases that streams may stand in; the largest is some MB.
RESPONSES_MAX = 32


class Responses:
    """`identifier` names this control plane in every response, for people."""

    def __init__(self, identifier: str) -> None:
        self._identifier = identifier
        self._prefixes: OrderedDict[Hashable, bytes] = OrderedDict()

    def encoded(self, send: Send | DeltaSend) -> bytes:
        """The whole response of one stream."""
        key: Hashable
        if isinstance(send, Send):
            key = (send.type_url, send.version, send.resources.version)
        else:
            key = (send.type_url, send.version, send.changed, send.removed)
        prefix = self._prefixes.get(key)
        if prefix is None:
            prefix = self._prefixes[key] = self._prefix(send)
            if len(self._prefixes) > RESPONSES_MAX:
                self._prefixes.popitem(last=False)
        else:
            self._prefixes.move_to_end(key)
        return with_nonce(prefix, send.nonce)

    def _prefix(self, send: Send | DeltaSend) -> bytes:
        if isinstance(send, DeltaSend):
            return delta_response_prefix(send, self._identifier)
        return response_prefix(send, self._identifier)
