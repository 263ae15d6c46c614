import numpy as np
import pytest

from sgdphys.landscapes import MuellerBrown

SURFACE = MuellerBrown()


def newton(start):
    """Find a critical point by Newton's method; each step is one dense solve."""
    point = np.array([start])
    for _ in range(20):
        point = point - np.linalg.solve(SURFACE.hessian(point)[0], SURFACE.gradient(point)[0])
    return point[0]


def test_stated_critical_points_are_newton_s():
    """Rounding of the gradient (about 1e-12) over the smallest curvature (220) leaves less than 1e-13."""
    for stated in (*SURFACE.minima, *SURFACE.saddles):
        np.testing.assert_allclose(newton(stated.round(3)), stated, rtol=0, atol=1e-12)


def test_energies_are_the_published_ones():
    np.testing.assert_allclose(SURFACE.potential(SURFACE.minima), [-146.6995172, -108.1667241, -80.7678181], rtol=1e-9)
    np.testing.assert_allclose(SURFACE.potential(SURFACE.saddles), [-40.6648435, -72.2489401], rtol=1e-9)


def test_equals_the_four_exponentials():
    x = np.random.default_rng(0).uniform([-1.5, -0.5], [1.2, 2.0], size=(500, 2))
    constants = zip(
        (-200, -100, -170, 15), (-1, -1, -6.5, 0.7), (0, 0, 11, 0.6), (-10, -10, -6.5, 0.7),
        (1, 0, -0.5, -1), (0, 0.5, 1.5, 1),
        strict=True,
    )  # fmt: skip
    expected = np.zeros(len(x))
    for A, a, b, c, X, Y in constants:
        dx, dy = x[:, 0] - X, x[:, 1] - Y
        expected += A * np.exp(a * dx**2 + b * dx * dy + c * dy**2)
    np.testing.assert_allclose(SURFACE.potential(x), expected, rtol=1e-12, atol=1e-11)


def test_a_minimum_moved_by_a_rounded_digit_is_noticed():
    moved = SURFACE.minima + 1e-9
    assert np.max(np.abs(SURFACE.gradient(moved))) > 1e-7
    assert SURFACE.gradient(SURFACE.minima) == pytest.approx(0, abs=1e-11)
