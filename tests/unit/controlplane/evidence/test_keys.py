from controlplane.evidence.keys import NEVER, KeyTable


def test_a_key_has_one_row_for_good() -> None:
    table = KeyTable(metric_count=2, keys_max=10)
    table.admit({7, 8})
    rows = table.rows([7, 8])
    table.admit({7, 9})
    assert sorted(table.rows([7, 8, 9])) == [0, 1, 2]
    assert table.rows([7, 8]).tolist() == rows.tolist()
    assert len(table) == 3


def test_a_new_key_has_never_been_seen() -> None:
    table = KeyTable(metric_count=2, keys_max=10)
    table.admit({7})
    (row,) = table.rows([7])
    assert table.met[row] == NEVER
    assert {int(column[metric, row]) for column in (table.seen, table.bad, table.cohort) for metric in (0, 1)} == {
        NEVER
    }


def test_what_is_known_stays_when_the_table_grows() -> None:
    table = KeyTable(metric_count=1, keys_max=10_000)
    table.admit({1})
    table.seen[0, table.rows([1])] = 5
    table.admit(set(range(2, 5000)))
    assert table.seen[0, table.rows([1])].tolist() == [5]
    assert table.seen[0, table.rows([4999])].tolist() == [NEVER]
    assert len(table) == 4999


def test_a_slot_that_does_not_fit_is_left_out_whole_and_for_good() -> None:
    """Or the arm that is looked up first would get the last rows."""
    table = KeyTable(metric_count=1, keys_max=3)
    table.admit({1, 2})
    assert not table.is_full
    table.admit({2, 3, 4})
    assert table.is_full
    table.admit({5})
    assert table.rows([1, 2, 3, 4, 5]).tolist() == table.rows([1, 2]).tolist()
    assert len(table) == 2


def test_a_table_filled_to_the_last_row_is_not_full_yet() -> None:
    table = KeyTable(metric_count=1, keys_max=2)
    table.admit({1, 2})
    table.admit({1, 2})
    assert not table.is_full
