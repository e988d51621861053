"""Huffman coding of HPACK strings (RFC 7541 5.2), four bits a step.

A state is a node of the code's tree; a step takes half a byte and gives the next state and at most one symbol (the
shortest code has five bits). The tables are made once, at import, in about 3 ms.

Rules held: padding is the start of the end-of-string code, that is ones, and shorter than eight bits; a string that
holds the end-of-string code is a fault.
"""

from extproc.h2.huffman_data import EOS, codes

_CODES = codes()
_NONE = -1
_NIBBLE_BITS = 4

# A tree node is a pair of children, and a child is a node or a symbol.
_Node = list["int | _Node | None"]


class HuffmanError(ValueError):
    """Not a coded string."""


def _tree() -> _Node:
    root: _Node = [None, None]
    for symbol, (code, length) in enumerate(_CODES):
        node = root
        for shift in range(length - 1, 0, -1):
            bit = code >> shift & 1
            child = node[bit]
            if not isinstance(child, list):
                child = node[bit] = [None, None]
            node = child
        node[code & 1] = symbol
    return root


def _number(root: _Node) -> tuple[list[_Node], dict[int, int], set[int]]:
    """Every node, its number, and the numbers of those where a string may end."""
    nodes = [root]
    for node in nodes:
        nodes += [child for child in node if isinstance(child, list)]
    numbers = {id(node): number for number, node in enumerate(nodes)}
    ends, node = set(), root
    for _ in range(8):  # up to seven ones
        ends.add(numbers[id(node)])
        child = node[1]
        assert isinstance(child, list)
        node = child
    return nodes, numbers, ends


def _steps() -> tuple[list[tuple[int, int]], frozenset[int]]:
    """Index state * 16 + half byte -> (next state, symbol). The symbol of a fault is EOS."""
    root = _tree()
    nodes, numbers, ends = _number(root)
    steps = []
    for start in nodes:
        for nibble in range(1 << _NIBBLE_BITS):
            node, symbol = start, _NONE
            for shift in range(_NIBBLE_BITS - 1, -1, -1):
                child = node[nibble >> shift & 1]
                if isinstance(child, list):
                    node = child
                else:
                    assert child is not None  # the code is complete: every path ends in a symbol
                    node, symbol = root, child
                    if symbol == EOS:
                        break
            steps.append((numbers[id(node)], symbol))
    return steps, frozenset(ends)


_STEPS, _ENDS = _steps()


def decode(data: bytes) -> bytes:
    """Raises HuffmanError."""
    out = bytearray()
    steps, state = _STEPS, 0
    for byte in data:
        for nibble in (byte >> 4, byte & 15):
            state, symbol = steps[state << 4 | nibble]
            if symbol != _NONE:
                if symbol == EOS:
                    raise HuffmanError("end of string inside a string")
                out.append(symbol)
    if state not in _ENDS:
        raise HuffmanError("padding is not the start of the end of string, or too long")
    return bytes(out)


def encode(data: bytes) -> bytes:
    value = bits = 0
    for byte in data:
        code, length = _CODES[byte]
        value = value << length | code
        bits += length
    pad = -bits % 8
    return (value << pad | (1 << pad) - 1).to_bytes((bits + pad) // 8, "big")


def encoded_bytes(data: bytes) -> int:
    """How long `encode` makes it."""
    return (sum(_CODES[byte][1] for byte in data) + 7) // 8
