"""SRA1: its paths, the stationary covariance of its chain, and what it refuses."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_second_order, assert_within
from chains import assert_blocks_do_not_matter, assert_paths_equal, second_moment
from growing_noise import Growing
from scipy import linalg

import sgdphys as sp
from sgdphys.integrators import SRA1, Problem

WELL = sp.landscapes.DoubleWell()
FACTOR = np.array([[1.0, 0.0], [0.3, 0.4], [0.0, 2.0]])


def step(gradient, factor, dt):
    def one(x, deviates, _following, temperature, later):
        xi, eta = np.split(deviates, 2)
        now, then = np.sqrt(2 * temperature * dt), np.sqrt(2 * later * dt)
        area = (xi + eta / np.sqrt(3)) / 2
        y = x - 0.75 * dt * gradient(x) + 1.5 * then * factor @ area
        return x - dt / 3 * (gradient(x) + 2 * gradient(y)) + factor @ (then * xi - (then - now) * area)

    return one


@pytest.mark.parametrize("temperature", [0.2, lambda time: 0.4 * time], ids=["constant", "scheduled"])
def test_paths_equal_the_naive_chain(temperature):
    one = step(lambda x: x**3 - x, np.eye(1), 0.05)
    assert_paths_equal(SRA1(), WELL, None, one, [-1.0], temperature=temperature, dt=0.05, channels=2)


def test_paths_of_several_coordinates_equal_the_naive_chain(hessian):
    one = step(lambda x: hessian @ x, FACTOR, 0.1)
    landscape, noise = sp.landscapes.Quadratic(hessian), sp.noises.LowRank(FACTOR)
    assert_paths_equal(SRA1(), landscape, noise, one, [1.0, -1.0, 0.5], temperature=0.2, dt=0.1, channels=4)


def test_stationary_variance_is_that_of_the_chain():
    """T/h ((1 - u/2)^2 + u^2/12)/((1 - u/2)(1 - u/2 + u^2/4)) at u = h dt = 1: 0.889 T/h; Heun has 0.667 T/h."""
    options = {"temperature": 0.1, "dt": 0.5, "steps": 60, "n": 400_000}
    square, error = second_moment(SRA1(), sp.landscapes.Quadratic(2.0), **options)
    assert_within(square, 0.05 * (0.25 + 1 / 12) / (0.5 * 0.75), error)
    for wrong in (0.05, 0.05 * 0.5 / 0.75):
        assert_excluded(square, wrong, error)


def test_stationary_covariance_solves_the_discrete_lyapunov_equation(hessian, noise, diffusion, covariance_error):
    """S = M S M + 2 T dt ((1 - dt H/2) D (1 - dt H/2) + dt^2 H D H/12), M = 1 - dt H + dt^2 H^2/2."""
    dt, temperature, n, one = 0.5, 0.2, 200_000, np.eye(3)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(hessian), noise, temperature=temperature, dt=dt, n_steps=60, n_particles=n, start=0.0,
        save_at=1, integrator=SRA1(),
    )  # fmt: skip
    x = cloud["position"].values[0]
    half, u = one - dt * hessian / 2, dt * hessian
    kicks = 2 * temperature * dt * (half @ diffusion @ half + u @ diffusion @ u / 12)
    exact = linalg.solve_discrete_lyapunov(one - u + u @ u / 2, kicks)
    assert_within(x.T @ x / n, exact, covariance_error(exact, n))


def test_a_driven_landscape_is_followed_to_second_order():
    """At T = 0 in x^2/2 + x sin t from rest: x = (cos t - sin t - exp(-t))/2; the error falls by four."""
    driven = sp.landscapes.Driven(sp.landscapes.Quadratic(1.0), sp.landscapes.Linear(1.0), np.sin)
    options = {"temperature": 0.0, "t1": 2.0, "n_particles": 1, "start": 0.0, "save_at": 1}
    errors = [
        sp.simulate(driven, dt=dt, integrator=SRA1(), **options)["position"].item()
        - (np.cos(2) - np.sin(2) - np.exp(-2)) / 2
        for dt in (0.1, 0.05, 0.025)
    ]
    assert_second_order(errors)


def test_bits_do_not_depend_on_blocks():
    assert_blocks_do_not_matter(SRA1(), WELL)


def test_other_noise_is_refused():
    with pytest.raises(ValueError, match="SRA1 needs noise of constant diffusion, and D of Growing"):
        SRA1().prepared(Problem(WELL, Growing(), None))
