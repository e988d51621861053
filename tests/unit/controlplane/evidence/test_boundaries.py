"""Boundaries against the published reference values, and against their own definition."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from controlplane.evidence import boundaries as b

RHO = b.best_rho(100, 0.05)
ONE_SIDED_RHO = b.best_rho(100, 0.10)


def test_the_best_precision_and_the_normal_mixture_are_the_published_ones() -> None:
    """Reference implementation of Howard et al. 2021."""
    assert pytest.approx(12.60056, abs=1e-5) == RHO
    assert b.normal_log_mixture(10, 100, rho=RHO) == pytest.approx(-0.6510052, abs=1e-6)
    assert b.normal_log_mixture(30.35209, 100, rho=RHO) == pytest.approx(math.log(20), abs=1e-5)


def test_the_beta_binomial_mixtures_are_the_published_ones() -> None:
    two = {"g": 0.2, "h": 0.8, "r": RHO - 0.16}
    assert b.beta_binomial_log_mixture(10, 100, **two) == pytest.approx(-0.6941012, abs=1e-6)
    assert b.beta_binomial_log_mixture(31.4308, 100, **two) == pytest.approx(math.log(20), abs=1e-4)
    one = {"g": 0.2, "h": 0.8, "r": ONE_SIDED_RHO - 0.16}
    assert b.beta_binomial_log_mixture_upper(10, 100, **one) == pytest.approx(-0.07134019, abs=1e-6)
    assert b.beta_binomial_log_mixture_upper(28.41238, 100, **one) == pytest.approx(math.log(20), abs=1e-4)


def test_the_gamma_mixtures_are_the_published_ones() -> None:
    assert b.gamma_exponential_log_mixture(10, 100, rho=ONE_SIDED_RHO, c=2) == pytest.approx(-0.2490165, abs=1e-6)
    assert b.gamma_exponential_bound(100, alpha=0.05, v_opt=100, c=2) == pytest.approx(33.02017, abs=1e-4)
    assert b.gamma_poisson_log_mixture(10, 100, rho=ONE_SIDED_RHO, c=2) == pytest.approx(-0.06991219, abs=1e-6)
    assert b.gamma_poisson_log_mixture(30.1949, 100, rho=ONE_SIDED_RHO, c=2) == pytest.approx(math.log(20), abs=1e-4)


@pytest.mark.parametrize(("c", "expected"), [(3, 64.48755), (-1, 28.99389)])
def test_the_stitched_bound_is_the_published_one(c: float, expected: float) -> None:
    assert b.stitched_bound(100, alpha=0.05, v_min=10, c=c) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("alpha", "expected"), [(0.05, 8.1227), (0.025, 8.6226)])
def test_the_constant_of_the_band_is_the_published_one(alpha: float, expected: float) -> None:
    assert b.band_constant(alpha) == pytest.approx(expected, abs=1e-3)
    assert b.band_radius(1000, alpha=0.05, n_min=100) == pytest.approx(0.08204769, abs=1e-5)
    assert b.band_radius(99, alpha=0.05, n_min=100) == 1.0


def test_the_sub_exponential_mixture_is_the_integral_it_stands_for() -> None:
    """Over lambda in 0..1/c with the gamma density of Howard et al., Proposition 9."""
    s, v, rho, c = 7.0, 20.0, 5.0, 1.5

    def density(lam: float) -> float:
        return (1 - c * lam) ** (rho / c**2 - 1) * math.exp(-rho * (1 - c * lam) / c**2)

    def psi(lam: float) -> float:
        return (-math.log(1 - c * lam) - c * lam) / c**2

    top = 1 / c
    above = quad(lambda lam: math.exp(lam * s - psi(lam) * v) * density(lam), 0, top)[0]
    assert math.log(above / quad(density, 0, top)[0]) == pytest.approx(
        b.gamma_exponential_log_mixture(s, v, rho=rho, c=c), abs=1e-6
    )


def test_a_band_holds_at_every_time_for_all_points_at_once() -> None:
    rng, crossed = np.random.default_rng(1), 0
    radii = np.array([b.band_radius(n, alpha=0.2, n_min=50) for n in range(1, 601, 10)])
    for _ in range(200):
        sample = rng.random(600)
        for radius, n in zip(radii, range(1, 601, 10), strict=True):
            ordered = np.sort(sample[:n])
            gap = max((np.arange(1, n + 1) / n - ordered).max(), (ordered - np.arange(n) / n).max())
            if gap > radius:
                crossed += 1
                break
    assert crossed / 200 <= 0.2
