"""Noise in proportion to the loss and to the Hessian: stationary moments, traps, refusals."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys.noises import Isotropic, ProportionalToHessian, ProportionalToLoss

ETA, H, LEAST, BATCH = 0.5, 1.0, 0.3, 2
PARABOLA = sp.landscapes.Expression("l + h*x**2/2", l=LEAST, h=H)
N = 200_000


def mean_square(noise, temperature, dt, landscape=PARABOLA, column=0, t1=20.0):
    cloud = sp.simulate(
        landscape, noise, temperature=temperature, dt=dt, t1=t1, n_particles=N, start=0.0, seed=3, save_at=[t1]
    )
    squares = cloud["position"].values[-1, :, column] ** 2
    return squares.mean(), squares.std() / np.sqrt(N)


@pytest.mark.parametrize("dt", [0.02, 0.1])
def test_moment_of_the_power_law(dt):
    """D = 2 h L, T = eta/2B: E x^2 = eta L*/(B (1 - h dt/2 - eta h/2B)) by the Euler chain.

    From E = (1 - h dt)^2 E + 2 T dt 2 h (L* + h E/2); dt = 0 gives the value of the stochastic differential
    equation. Far off: the noise of the minimum alone (D = 2 h L*), and half of it (D = h L).
    """
    temperature = ETA / (2 * BATCH)
    exact = ETA * LEAST / (BATCH * (1 - H * dt / 2 - ETA * H / (2 * BATCH)))
    mean, error = mean_square(ProportionalToLoss(factor=2.0, matrix=[[H]]), temperature, dt)
    assert_within(mean, exact, error)
    assert_excluded(mean, ETA * LEAST / (BATCH * (1 - H * dt / 2)), error)
    assert_excluded(mean, ETA * LEAST / (2 * BATCH * (1 - H * dt / 2 - ETA * H / (4 * BATCH))), error)


def test_moments_with_a_matrix():
    """D = (f + floor) M in two coordinates: S = (1 - h dt)^2 S + 2 T dt (floor + L* + tr(S)/2) M, h = 1."""
    matrix, temperature, dt = np.array([[1.0, 0.4], [0.4, 0.5]]), 0.2, 0.05
    bowl = sp.landscapes.Expression("l + (x**2 + y**2)/2", l=LEAST)
    rate = 2 * temperature * dt / (1 - (1 - dt) ** 2)
    scale = rate * (LEAST + 0.1) / (1 - rate * np.trace(matrix) / 2)
    noise = ProportionalToLoss(matrix=matrix, floor=0.1)
    for i in range(2):
        mean, error = mean_square(noise, temperature, dt, bowl, column=i)
        assert_within(mean, scale * matrix[i, i], error)
        assert_excluded(mean, scale * 0.75, error)


@pytest.mark.parametrize("matrix", [[[3.0]], [[3.0, 0.0], [0.0, 3.0]], [[3.0, 1.0], [1.0, 2.0]]])
def test_the_floor_is_in_the_unit_of_the_matrix(matrix):
    bowl = sp.landscapes.Quadratic(2 * np.eye(len(matrix)))
    x = np.full((1, len(matrix)), 0.7)
    noise = ProportionalToLoss(bowl, factor=2.0, matrix=matrix, floor=0.5)
    expected = (2 * bowl.potential(x)[0] + 0.5) * np.array(matrix)
    np.testing.assert_allclose(noise.diffusion(x)[0], expected, rtol=1e-12)


def test_noise_of_the_hessian_makes_all_directions_alike():
    """D = |H| of a quadratic: variance T/(1 - h dt/2) in every eigendirection, T/h/(1 - h dt/2) for D = 1."""
    bowl = sp.landscapes.Quadratic([[2.0, 0.6], [0.6, 1.0]])
    h, vectors = np.linalg.eigh(bowl.matrix)
    cloud = sp.simulate(bowl, ProportionalToHessian(), temperature=0.3, dt=0.05, t1=15.0, n_particles=N, save_at=[15.0])
    variances = (cloud["position"].values[-1] @ vectors).var(axis=0)
    expected = 0.3 / (1 - h * 0.05 / 2)
    assert_within(variances, expected, expected * np.sqrt(2 / N))
    assert_excluded(variances, expected / h, expected * np.sqrt(2 / N))


def test_no_particle_diffuses_across_an_inflection_point():
    """|f''| of the double well vanishes at 1/sqrt 3: the cloud stays beyond it, unlike under constant noise."""
    well, inflection = sp.landscapes.DoubleWell(), 1 / np.sqrt(3)
    options = {"temperature": 0.1, "dt": 1e-3, "t1": 30.0, "n_particles": 2000, "start": 1.0, "save_at": [30.0]}
    kept = sp.simulate(well, ProportionalToHessian(factor=0.5), **options)["position"].values
    free = sp.simulate(well, Isotropic(1.0), **options)["position"].values
    assert np.mean(free < inflection) > 0.1
    assert np.mean(kept < inflection - 0.02) == 0


def test_the_landscape_may_be_another_one():
    flat = sp.landscapes.Quadratic(0.0)
    noise = ProportionalToLoss(PARABOLA, factor=2.0).bound(flat)
    assert noise.diffusion(np.array([[2.0]]))[0, 0, 0] == pytest.approx(2 * (LEAST + 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ProportionalToLoss(factor=-1.0), "factor must be finite and not negative"),
        (lambda: ProportionalToLoss(floor=np.inf), "floor must be finite"),
        (lambda: ProportionalToLoss(matrix=[[1.0, 2.0], [2.0, 1.0]]), "positive semi-definite"),
        (lambda: ProportionalToLoss().kick_term(1), "has no landscape yet"),
        (lambda: ProportionalToLoss(matrix=np.eye(2) * [1, 2]).bound(PARABOLA), "1 coordinates must agree"),
        (lambda: ProportionalToLoss(PARABOLA).bound(sp.landscapes.Quadratic(np.eye(2))), "of 1 coordinates, the sim"),
        (lambda: ProportionalToLoss().bound(sp.landscapes.DoubleWell()), "-0.25: add a constant to the loss, or give"),
        (lambda: ProportionalToHessian(factor=None), "factor must be"),
        (lambda: ProportionalToHessian().diffusion(np.zeros((1, 1))), "has no landscape yet"),
        (lambda: ProportionalToHessian().bound(sp.landscapes.Quadratic(np.eye(9))), "at most 8 coordinates"),
        (lambda: sp.simulate(
            PARABOLA, ProportionalToHessian(), temperature=0.1, dt=0.1, n_steps=1, n_particles=1,
            integrator=sp.integrators.StochasticHeun()), "needs div D, which this noise does not know"),
        (lambda: sp.simulate(
            PARABOLA, ProportionalToHessian(), temperature=0.1, dt=0.1, n_steps=1, n_particles=1,
            integrator=sp.integrators.Milstein()), "Milstein needs the derivative of D"),
    ],
)  # fmt: skip
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
