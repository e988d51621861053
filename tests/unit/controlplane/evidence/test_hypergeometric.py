"""Kept tables against the direct sums, and the mean by exact enumeration."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.evidence import bounds
from controlplane.evidence.bounds import Bound
from controlplane.evidence.hypergeometric import KEPT_N_MAX, ExactTables

LAM = np.log(np.array([1.5, 3.0, 10.0]))
TABLES = ExactTables(LAM)


def ask(tables: ExactTables, n_a: int, k_a: int, n_b: int, k_b: int) -> np.ndarray:
    return tables.log_e(np.array([n_a]), np.array([[k_a]]), np.array([n_b]), np.array([[k_b]]))[0, 0]


@settings(max_examples=200, deadline=None)
@given(st.tuples(st.integers(0, 60), st.integers(0, 60), st.floats(0, 1), st.floats(0, 1)))
def test_a_kept_table_says_what_the_exact_sum_says(counts: tuple[int, int, float, float]) -> None:
    n_a, n_b, share_a, share_b = counts
    columns = [np.array([count]) for count in (n_a, int(share_a * n_a), n_b, int(share_b * n_b))]
    direct = bounds.log_e(*columns, lam=LAM, bound=Bound.EXACT)[0]
    np.testing.assert_allclose(ask(TABLES, *(int(column[0]) for column in columns)), direct, atol=1e-9)


@pytest.mark.parametrize(("n_a", "n_b", "bad"), [(6, 4, 3), (2, 9, 7), (30, 30, 30)])
def test_the_mean_given_the_split_is_exactly_one(n_a: int, n_b: int, bad: int) -> None:
    mean = sum(
        math.comb(n_b, k)
        * math.comb(n_a, bad - k)
        / math.comb(n_a + n_b, bad)
        * np.exp(ask(TABLES, n_a, bad - k, n_b, k))
        for k in range(max(0, bad - n_a), min(n_b, bad) + 1)
    )
    np.testing.assert_allclose(mean, 1.0)


def test_past_the_kept_sizes_the_sum_is_exact_while_short_and_the_least_bound_after() -> None:
    short, long = (KEPT_N_MAX, 30, 40, 9), (400, 200, 400, 230)
    for counts, bound in ((short, Bound.EXACT), (long, Bound.MINIMUM)):
        direct = bounds.log_e(*(np.array([count]) for count in counts), lam=LAM, bound=bound)[0]
        np.testing.assert_allclose(ask(TABLES, *counts), direct)


def test_rows_of_all_sizes_together_are_as_each_alone() -> None:
    rows = [(5, 2, 5, 1), (0, 0, 7, 3), (400, 10, 40, 3), (400, 10, 40, 3), (500, 300, 500, 290), (5, 2, 5, 1)]
    n_a, k_a, n_b, k_b = (np.array(column) for column in zip(*rows, strict=True))
    together = TABLES.log_e(n_a, k_a[:, None], n_b, k_b[:, None])[:, 0]
    np.testing.assert_allclose(together, [ask(TABLES, *row) for row in rows])


def test_a_full_store_starts_anew() -> None:
    tables = ExactTables(LAM, rows_max=50)
    first = ask(tables, 10, 3, 10, 5)
    for n in range(11, 20):
        ask(tables, n, 3, n, 5)
    np.testing.assert_allclose(ask(tables, 10, 3, 10, 5), first)
