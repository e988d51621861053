"""One request as cohort rules see it. What takes work to read is read once, when first asked for."""

from collections.abc import Mapping, Sequence

from serinus.contract import request
from serinus.contract.condition import Source, text_of
from serinus.contract.request import Address


class Facts:
    """`values`: of each header that is there, and of `:path`, `:method`, `:source`."""

    __slots__ = ("_address", "_cookies", "_fields", "key", "now_s", "values")

    def __init__(self, values: Mapping[str, Sequence[bytes]], key: bytes | None, now_s: int) -> None:
        self.values = values
        self.key = key
        self.now_s = now_s
        self._cookies: Mapping[str, bytes] | None = None
        self._fields: Mapping[str, bytes] | None = None
        self._address: tuple[Address | None] | None = None

    def lookup(self, name: str) -> Sequence[bytes]:
        return self.values.get(name, ())

    def text(self, source: Source, name: str) -> bytes | None:
        match source:
            case Source.COOKIE:
                return self.cookies().get(name)
            case Source.QUERY:
                return self.fields().get(name)
        return text_of(source, name, self.lookup, self.key)

    def cookies(self) -> Mapping[str, bytes]:
        if self._cookies is None:
            self._cookies = request.cookies(self.lookup)
        return self._cookies

    def fields(self) -> Mapping[str, bytes]:
        """Of the query."""
        if self._fields is None:
            self._fields = request.query_fields(self.lookup)
        return self._fields

    def address(self) -> Address | None:
        if self._address is None:
            self._address = (request.source_address(self.lookup),)
        return self._address[0]
