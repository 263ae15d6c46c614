"""Leimkuhler-Matthews: its paths, exact variances of a quadratic at any step, and what it refuses."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_same_bits, assert_within
from chains import assert_blocks_do_not_matter, assert_paths_equal, second_moment
from growing_noise import Growing
from scipy import integrate, linalg

import sgdphys as sp
from sgdphys.integrators import EulerMaruyama, LeimkuhlerMatthews, Problem

WELL = sp.landscapes.DoubleWell()


@pytest.mark.parametrize("temperature", [0.2, lambda time: 0.4 * time], ids=["constant", "scheduled"])
def test_paths_equal_the_naive_chain(temperature):
    def one(x, xi, following, now, later):
        kicks = np.sqrt(2 * now * 0.05) * xi + np.sqrt(2 * later * 0.05) * following
        return x - 0.05 * (x**3 - x) + kicks / 2

    assert_paths_equal(LeimkuhlerMatthews(), WELL, None, one, [-1.0], temperature=temperature, dt=0.05, channels=1)


def test_paths_of_several_coordinates_equal_the_naive_chain(hessian):
    factor = np.array([[1.0, 0.0], [0.3, 0.4], [0.0, 2.0]])

    def one(x, xi, following, now, later):
        return x - 0.1 * hessian @ x + np.sqrt(2 * now * 0.1) * factor @ (xi + following) / 2

    landscape, noise, start = sp.landscapes.Quadratic(hessian), sp.noises.LowRank(factor), [1.0, -1.0, 0.5]
    assert_paths_equal(LeimkuhlerMatthews(), landscape, noise, one, start, temperature=0.2, dt=0.1, channels=2)


@pytest.mark.parametrize("u", [0.1, 0.8, 1.6])
def test_stationary_variance_of_a_quadratic_is_exact_at_any_step(u):
    """T/h; Euler-Maruyama has T/(h (1 - u/2))."""
    options = {"temperature": 0.1, "dt": u / 2, "steps": max(60, int(12 / u)), "n": 400_000}
    square, error = second_moment(LeimkuhlerMatthews(), sp.landscapes.Quadratic(2.0), **options)
    assert_within(square, 0.05, error)
    assert_excluded(square, 0.05 / (1 - u / 2), error)


def test_stationary_covariance_is_that_of_the_chain(hessian, noise, diffusion, covariance_error):
    """S + T dt D / 2 with S = M S M + 2 T dt (1 - dt H/2) D (1 - dt H/2): not exact where H and D do not commute."""
    dt, temperature, n = 0.4, 0.2, 200_000
    cloud = sp.simulate(
        sp.landscapes.Quadratic(hessian), noise, temperature=temperature, dt=dt, n_steps=80, n_particles=n, start=0.0,
        save_at=1, integrator=LeimkuhlerMatthews(),
    )  # fmt: skip
    x, half = cloud["position"].values[0], np.eye(3) - dt * hessian / 2
    kicks = 2 * temperature * dt * half @ diffusion @ half
    exact = linalg.solve_discrete_lyapunov(np.eye(3) - dt * hessian, kicks) + temperature * dt * diffusion / 2
    assert_within(x.T @ x / n, exact, covariance_error(exact, n))


def test_averages_over_a_double_well_are_of_second_order():
    """The mean of x^2 over the Gibbs state at dt = 0.08: a bias below a standard error; Euler-Maruyama is off by 20."""
    temperature = 0.5
    weight = lambda x, power: x**power * np.exp((x**2 / 2 - x**4 / 4) / temperature)  # noqa: E731
    exact = integrate.quad(weight, -6, 6, args=(2,))[0] / integrate.quad(weight, -6, 6, args=(0,))[0]
    options = {"temperature": temperature, "dt": 0.08, "steps": 375, "n": 1_000_000}
    square, error = second_moment(LeimkuhlerMatthews(), WELL, start=-1.0, **options)
    assert_within(square, exact, error)
    square, error = second_moment(EulerMaruyama(), WELL, start=-1.0, **options)
    assert_excluded(square, exact, error)


def test_a_cloud_goes_on_with_the_same_bits():
    options = {"temperature": 0.1, "dt": 0.1, "n_particles": 100, "integrator": LeimkuhlerMatthews(), "save_at": 1}
    first = sp.simulate(WELL, n_steps=7, **options)
    del options["n_particles"]
    both = sp.simulate(WELL, n_steps=6, start=first, **options)["position"].values
    assert_same_bits(both, sp.simulate(WELL, n_steps=13, n_particles=100, **options)["position"].values)


def test_bits_do_not_depend_on_blocks():
    assert_blocks_do_not_matter(LeimkuhlerMatthews(), WELL)


def test_other_noise_is_refused():
    with pytest.raises(ValueError, match="LeimkuhlerMatthews needs noise of constant diffusion, and D of Growing"):
        LeimkuhlerMatthews().prepared(Problem(WELL, Growing(), None))
