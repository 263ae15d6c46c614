"""Deviates of large steps follow from those of small ones as Brownian motion has it."""

from types import SimpleNamespace

import numpy as np
import pytest

import sgdphys as sp
from sgdphys.testing.paths import BrownianPaths, taylor_path, underdamped_deviates, wiener_deviates


def unit_paths(steps, sets):
    """One lane for each deviate, which is 1 there: what follows is a linear map, row by row."""
    number = steps * sets
    return BrownianPaths(0.25, np.eye(number).reshape(steps, sets, 1, number))


@pytest.mark.parametrize("together", [1, 2, 4])
def test_deviates_of_larger_steps_are_independent_and_normal(together):
    for sets in (1, 2):
        deviates = wiener_deviates(SimpleNamespace(sets=sets), unit_paths(8, 2), together)
        rows = deviates.reshape(-1, deviates.shape[-1])
        np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-12)


@pytest.mark.parametrize("sets", [1, 2, 4])
@pytest.mark.parametrize("together", [1, 2, 4])
def test_deviates_of_free_motion_are_independent_and_normal(sets, together):
    deviates = underdamped_deviates(1.3)(SimpleNamespace(sets=sets), unit_paths(8, 4), together)
    assert deviates.shape[:2] == (8 // together, sets)
    rows = deviates.reshape(-1, deviates.shape[-1])
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-7)


def test_the_integral_is_that_of_the_path():
    """Z of all steps is the sum over steps of Z_i + h W_i, W_i the path so far."""
    paths = BrownianPaths.drawn(0.1, 6, 2, 5)
    whole, integral = paths.increments(6)
    small, inner = paths.increments(1)
    before = np.cumsum(small, axis=0) - small
    np.testing.assert_allclose(integral[0], (inner + 0.1 * before).sum(axis=0))
    np.testing.assert_allclose(whole[0], paths.end(6))


def test_the_taylor_scheme_is_exact_enough_in_a_bowl():
    """E and path: x = e^-t x0 + int e^-(t-s) dW, the integral by parts from the same increments and integrals."""
    steps, lanes = 256, 8
    paths = BrownianPaths.drawn(1 / steps, steps, 1, lanes)
    end = taylor_path(sp.landscapes.Quadratic(1.0), np.ones((1, 1)), np.full((1, lanes), 0.7), paths, steps)
    x = np.full((1, lanes), 0.7)
    for increment, integral in zip(*paths.increments(1), strict=True):
        x = np.exp(-paths.dt) * x + increment - integral  # e^-(h-s) = 1 - (h - s) + ..., and int (h - s) dW = Z
    np.testing.assert_allclose(end, x, atol=2e-5)
