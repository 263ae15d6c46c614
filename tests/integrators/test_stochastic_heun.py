"""Stochastic Heun: its paths in every reading of the noise, discrete moments, and what it refuses."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_second_order, assert_within
from chains import READINGS, Dense, assert_blocks_do_not_matter, assert_paths_equal, second_moment
from growing_noise import Growing

import sgdphys as sp
from sgdphys.integrators import Problem, StochasticHeun

WELL = sp.landscapes.DoubleWell()


def step(gradient, noise, dt):
    def one(x, xi, _following, temperature, later):
        def force(y, heat):
            return gradient(y) + (0.5 - READINGS[noise.interpretation]) * heat * noise.slope(y)

        kick = np.sqrt((temperature + later) * dt) * xi
        y = x - dt * force(x, temperature) + noise.root(x) * kick
        return x - dt / 2 * (force(x, temperature) + force(y, later)) + (noise.root(x) + noise.root(y)) * kick / 2

    return one


@pytest.mark.parametrize("interpretation", READINGS)
@pytest.mark.parametrize("temperature", [0.2, lambda time: 0.1 + 0.3 * time], ids=["constant", "scheduled"])
def test_paths_equal_the_naive_chain(interpretation, temperature):
    noise = Growing(0.5, 0.7, interpretation)
    one = step(lambda x: x**3 - x, noise, 0.05)
    assert_paths_equal(StochasticHeun(), WELL, noise, one, [-1.0], temperature=temperature, dt=0.05, channels=1)


@pytest.mark.parametrize("temperature", [0.2, lambda time: 0.4 * time], ids=["constant", "scheduled"])
def test_paths_of_several_coordinates_equal_the_naive_chain(hessian, temperature):
    landscape, factor = sp.landscapes.Quadratic(hessian), np.array([[1.0, 0.0], [0.3, 0.4], [0.0, 2.0]])

    def one(x, xi, _following, now, later):
        kicked = x + np.sqrt((now + later) * 0.05) * factor @ xi
        return kicked - 0.025 * hessian @ (x + kicked - 0.05 * hessian @ x)

    noise = sp.noises.LowRank(factor)
    start = [1.0, -1.0, 0.5]
    assert_paths_equal(StochasticHeun(), landscape, noise, one, start, temperature=temperature, dt=0.05, channels=2)


def test_it_converges_to_the_stratonovich_solution():
    """Second moment of geometric Brownian motion: 1 + 2 k + 3/4 k^2 a step, k = 2 T dt; read as Ito it is 1 + k."""
    kick = 2 * 0.05 * 0.1
    options = {"temperature": 0.05, "dt": 0.1, "steps": 10, "n": 200_000, "start": 1.0}
    flat = sp.landscapes.Quadratic(0.0)
    square, error = second_moment(StochasticHeun(), flat, Growing(0.0, 1.0, "stratonovich"), **options)
    assert_within(square, (1 + 2 * kick + 0.75 * kick**2) ** 10, error)
    assert_excluded(square, (1 + kick) ** 10, error)
    square, error = second_moment(StochasticHeun(), flat, Growing(0.0, 1.0, "ito"), **options)
    assert_within(square, np.exp(10 * kick), error)


def test_stationary_variance_is_that_of_the_chain():
    """T/h (1 - u/2)/(1 - u/2 + u^2/4) at u = h dt = 0.5; T/h is 40 standard errors away."""
    options = {"temperature": 0.1, "dt": 0.25, "steps": 60, "n": 800_000}
    square, error = second_moment(StochasticHeun(), sp.landscapes.Quadratic(2.0), **options)
    assert_within(square, 0.05 * 0.75 / (0.75 + 0.0625), error)
    assert_excluded(square, 0.05, error)


def test_a_driven_landscape_is_followed_to_second_order():
    """At T = 0 in x^2/2 + x sin t from rest: x = (cos t - sin t - exp(-t))/2; the error falls by four."""
    driven = sp.landscapes.Driven(sp.landscapes.Quadratic(1.0), sp.landscapes.Linear(1.0), np.sin)
    options = {"temperature": 0.0, "t1": 2.0, "n_particles": 1, "start": 0.0, "save_at": 1}
    errors = [
        sp.simulate(driven, dt=dt, integrator=StochasticHeun(), **options)["position"].item()
        - (np.cos(2) - np.sin(2) - np.exp(-2)) / 2
        for dt in (0.1, 0.05, 0.025)
    ]
    assert_second_order(errors)


@pytest.mark.parametrize("noise", [None, Growing()], ids=["additive", "multiplicative"])
def test_bits_do_not_depend_on_blocks(noise):
    assert_blocks_do_not_matter(StochasticHeun(), WELL, noise)


def test_other_noise_is_refused():
    with pytest.raises(
        ValueError, match="StochasticHeun needs noise of constant or diagonal diffusion, and D of Dense"
    ):
        StochasticHeun().prepared(Problem(sp.landscapes.Quadratic(np.eye(2)), Dense(), None))
    with pytest.raises(ValueError, match="StochasticHeun knows no momentum"):
        StochasticHeun().prepared(Problem(WELL, sp.noises.Isotropic(), sp.SGD(lr=0.1, batch_size=1, momentum=0.5)))
