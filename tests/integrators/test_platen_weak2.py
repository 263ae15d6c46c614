"""Platen's weak scheme: its paths, discrete moments against the exact ones, and what it refuses."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from chains import READINGS, Coupled, Dense, assert_blocks_do_not_matter, assert_paths_equal, second_moment
from growing_noise import Growing

import sgdphys as sp
from sgdphys.integrators import PlatenWeak2, Problem

WELL = sp.landscapes.DoubleWell()


def step(gradient, noise, dt):
    def one(x, xi, _following, temperature, later):
        def force(y, heat):
            return gradient(y) - READINGS[noise.interpretation] * heat * noise.slope(y)

        scale = np.sqrt((temperature + later) * dt)
        drifted, b = x - dt * force(x, temperature), scale * noise.root(x)
        plus, minus = scale * noise.root(drifted + b), scale * noise.root(drifted - b)
        drift = (force(x, temperature) + force(drifted + b * xi, later)) / 2
        return x - dt * drift + (plus + minus + 2 * b) * xi / 4 + (plus - minus) * (xi**2 - 1) / 4

    return one


@pytest.mark.parametrize("interpretation", READINGS)
@pytest.mark.parametrize("temperature", [0.2, lambda time: 0.1 + 0.3 * time], ids=["constant", "scheduled"])
def test_paths_equal_the_naive_chain(interpretation, temperature):
    noise = Growing(0.5, 0.7, interpretation)
    one = step(lambda x: x**3 - x, noise, 0.05)
    assert_paths_equal(PlatenWeak2(), WELL, noise, one, [-1.0], temperature=temperature, dt=0.05, channels=1)


def test_paths_of_several_coordinates_equal_the_naive_chain(hessian):
    noise = Growing(0.5, 0.7)
    one = step(lambda x: hessian @ x, noise, 0.05)
    landscape = sp.landscapes.Quadratic(hessian)
    assert_paths_equal(PlatenWeak2(), landscape, noise, one, [1.0, -1.0, 0.5], temperature=0.2, dt=0.05, channels=3)


def chain_moment(u, k):
    """Second moment of dx = -h x dt + sqrt(2 T) x dW after a step from 1, u = h dt and k = 2 T dt."""
    return (1 - u + u**2 / 2) ** 2 + k * (1 - u) ** 2 + k**2 / 2


def test_second_moment_of_geometric_brownian_motion_is_that_of_the_chain():
    options = {"temperature": 0.5, "dt": 0.25, "steps": 2, "n": 1_000_000, "start": 1.0}
    square, error = second_moment(PlatenWeak2(), sp.landscapes.Quadratic(1.0), Growing(0.0, 1.0), **options)
    assert_within(square, chain_moment(0.25, 0.25) ** 2, error)
    assert_excluded(square, (0.75**2 + 0.25) ** 2, error)  # Euler-Maruyama


def test_the_error_of_a_second_moment_falls_by_four():
    """The chain's moment, which the test above ties to the engine, against exp((2 T - 2 h) t)."""
    errors = [chain_moment(0.5 / n, 0.3 / n) ** n - np.exp(0.3 - 1.0) for n in (16, 32, 64)]
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 2, atol=0.1)


def test_a_linear_temperature_gives_a_second_order_variance():
    """Flat, D = 1, T = t: the variance at time 1 is the integral of 2 T, 1; T at the beginning of steps gives 0.75."""
    options = {"temperature": lambda time: time, "dt": 0.25, "steps": 4, "n": 100_000}
    square, error = second_moment(PlatenWeak2(), sp.landscapes.Quadratic(0.0), **options)
    assert_within(square, 1.0, error)
    assert_excluded(square, 0.75, error)


@pytest.mark.parametrize("noise", [None, Growing()], ids=["additive", "multiplicative"])
def test_bits_do_not_depend_on_blocks(noise):
    assert_blocks_do_not_matter(PlatenWeak2(), WELL, noise)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (Coupled(), "PlatenWeak2 needs a D_ii that depends on x_i alone, and that of Coupled"),
        (Dense(), "PlatenWeak2 needs noise of constant or diagonal diffusion, and D of Dense"),
    ],
)
def test_other_noise_is_refused(noise, message):
    with pytest.raises(ValueError, match=message):
        PlatenWeak2().prepared(Problem(sp.landscapes.Quadratic(np.eye(2)), noise, None))
