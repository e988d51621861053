from hpack.table import HeaderTable

from extproc.h2.hpack_table import STATIC, DynamicTable, entry_bytes

A, B, C = (b"a", b"1"), (b"b", b"2"), (b"c", b"3")  # 34 bytes each


def test_the_static_table_is_that_of_appendix_a() -> None:
    assert tuple(HeaderTable.STATIC_TABLE) == STATIC
    assert (STATIC[1], STATIC[60]) == ((b":method", b"GET"), (b"www-authenticate", b""))


def test_an_entry_weighs_32_bytes_more_than_its_text() -> None:
    """RFC 7541 4.1."""
    assert entry_bytes((b"name", b"value")) == 41


def test_the_newest_entry_has_the_lowest_index() -> None:
    """RFC 7541 2.3.3."""
    table = DynamicTable(4_096)
    table.add(A)
    table.add(B)
    assert [table.get(index) for index in (62, 63, 64)] == [B, A, None]
    assert (table.get(61), table.get(0), table.get(-1)) == (STATIC[60], None, None)


def test_the_oldest_goes_when_there_is_no_room() -> None:
    """RFC 7541 4.4."""
    table = DynamicTable(70)
    for field in (A, B, C):
        table.add(field)
    assert (len(table), table.get(62), table.get(63)) == (2, C, B)


def test_an_entry_larger_than_the_table_empties_it() -> None:
    """RFC 7541 4.4: no fault."""
    table = DynamicTable(70)
    table.add(A)
    table.add((b"x", bytes(100)))
    assert len(table) == 0
    table.add(B)
    assert table.get(62) == B


def test_a_smaller_table_lets_entries_go_at_once() -> None:
    """RFC 7541 4.3."""
    table = DynamicTable(4_096)
    for field in (A, B, C):
        table.add(field)
    table.resize(34)
    assert (len(table), table.get(62)) == (1, C)
    table.resize(0)
    assert len(table) == 0
    table.add(A)
    assert len(table) == 0
