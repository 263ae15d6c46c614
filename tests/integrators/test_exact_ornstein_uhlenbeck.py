"""The exact propagator: its paths, and moments and correlations that do not depend on dt."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from chains import assert_blocks_do_not_matter, assert_paths_equal, second_moment
from growing_noise import Growing
from scipy import linalg

import sgdphys as sp
from sgdphys.integrators import ExactOrnsteinUhlenbeck, Problem
from sgdphys.integrators.linear_flow import LinearFlow, kick_root

TURN = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
BROKEN = {"hessian": np.diag([2.0, 0.5]), "diffusion": TURN @ np.diag([1.0, 0.1]) @ TURN.T}  # physics.md 1 (c) C1
BROKEN_COVARIANCE = np.array([[0.275, 0.36], [0.36, 1.1]])  # Sigma / T
LOW = sp.noises.LowRank([[1.0], [0.5], [-1.0]])


@pytest.mark.parametrize("temperature", [0.2, lambda time: 0.4 * time], ids=["constant", "scheduled"])
@pytest.mark.parametrize("noise", [sp.noises.Full(np.diag([1.0, 2.0, 3.0]) + 0.5), LOW], ids=["full", "low rank"])
def test_paths_equal_the_naive_chain(hessian, noise, temperature):
    dt, root = 0.3, LinearFlow(hessian, np.zeros(3), kick_root(noise, 3)).kick(0.3)

    def one(x, xi, _following, now, _later):
        return linalg.expm(-dt * hessian) @ x + np.sqrt(2 * now * dt) * root @ xi

    landscape = sp.landscapes.Quadratic(hessian)
    start = [1.0, -1.0, 0.5]
    assert_paths_equal(
        ExactOrnsteinUhlenbeck(), landscape, noise, one, start, temperature=temperature, dt=dt, channels=3
    )


@pytest.mark.parametrize("u", [0.2, 5.0])
def test_variance_of_one_coordinate_is_exact_at_any_step(u):
    """T/h (1 - exp(-2 h t)) from a start at the minimum; dt at which Euler-Maruyama is unstable included."""
    options = {"temperature": 0.1, "dt": u / 2, "steps": 3, "n": 400_000}
    square, error = second_moment(ExactOrnsteinUhlenbeck(), sp.landscapes.Quadratic(2.0), **options)
    assert_within(square, -0.05 * np.expm1(-6 * u), error)
    assert_excluded(square, -0.1 * np.expm1(-6 * u), error)


@pytest.mark.parametrize("dt", [0.1, 3.0])
def test_covariance_and_correlation_of_broken_detailed_balance(dt, covariance_error):
    """Sigma and C(tau) = exp(-H tau) Sigma of H and D that do not commute; C(tau) is not symmetric."""
    temperature, n = 0.1, 400_000
    steps = round(12 / dt) + 1
    lag = max(1, round(0.5 / dt))
    times = dt * np.array([steps - lag, steps])
    cloud = sp.simulate(
        sp.landscapes.Quadratic(BROKEN["hessian"]), sp.noises.Full(BROKEN["diffusion"]), temperature=temperature, dt=dt,
        n_steps=steps, n_particles=n, start=0.0, save_at=times, integrator=ExactOrnsteinUhlenbeck(),
    )["position"].values  # fmt: skip
    exact = temperature * BROKEN_COVARIANCE
    error = covariance_error(exact, n)
    assert_within(cloud[1].T @ cloud[1] / n, exact, error)
    assert_excluded((cloud[1].T @ cloud[1] / n)[0, 1], 0.0, error[0, 1])  # detailed balance imposed
    correlation = linalg.expm(-dt * lag * BROKEN["hessian"]) @ exact
    assert_within(cloud[1].T @ cloud[0] / n, correlation, np.sqrt(np.outer(np.diag(exact), np.diag(exact)) * 2 / n))


def test_a_singular_diffusion_in_a_tilted_parabola(hessian, covariance_error):
    """Rank one in three coordinates: mean -H^-1 c and the full covariance of the Lyapunov equation, at dt = 2."""
    slope, temperature, n = np.array([1.0, -0.5, 2.0]), 0.3, 400_000
    cloud = sp.simulate(
        sp.landscapes.Tilted(sp.landscapes.Quadratic(hessian), slope), LOW, temperature=temperature, dt=2.0, n_steps=12,
        n_particles=n, start=0.0, save_at=1, integrator=ExactOrnsteinUhlenbeck(),
    )["position"].values[0]  # fmt: skip
    exact = linalg.solve_continuous_lyapunov(hessian, 2 * temperature * LOW.diffusion(np.zeros((1, 3)))[0])
    mean = -np.linalg.solve(hessian, slope)
    assert_within(cloud.mean(axis=0), mean, np.sqrt(np.diag(exact) / n))
    assert_within(np.cov(cloud.T, bias=True), exact, covariance_error(exact, n))


def test_paths_tend_to_those_of_euler_maruyama_with_the_same_normals(hessian):
    """After 100 steps of 1e-4 the kicks add up to 0.1, paths differ by 2e-4 at most."""
    options = {"temperature": 0.5, "dt": 1e-4, "n_steps": 100, "n_particles": 64, "start": 1.0, "save_at": 1}
    landscape = sp.landscapes.Quadratic(hessian)
    exact = sp.simulate(landscape, integrator=ExactOrnsteinUhlenbeck(), **options)["position"].values
    np.testing.assert_allclose(exact, sp.simulate(landscape, **options)["position"].values, rtol=0, atol=2e-4)


def test_bits_do_not_depend_on_blocks(hessian):
    assert_blocks_do_not_matter(ExactOrnsteinUhlenbeck(), sp.landscapes.Quadratic(hessian), LOW)


def test_steps_of_sgd_schedules_have_their_own_lengths():
    """Two learning rates: variance v <- v exp(-2 h lr) + T/h (1 - exp(-2 h lr)) with each one's T = lr/(2 B)."""
    stages = [(sp.SGD(lr=0.5, batch_size=2), 3), (sp.SGD(lr=0.1, batch_size=1), 4)]
    cloud = sp.simulate(
        sp.landscapes.Quadratic(1.0), sp.noises.Isotropic(1.0), sgd=sp.schedules.SGDSchedule(stages),
        n_particles=400_000, start=0.0, save_at=1, integrator=ExactOrnsteinUhlenbeck(),
    )  # fmt: skip
    variance = 0.0
    for sgd, steps in stages:
        for _ in range(steps):
            variance = variance * np.exp(-2 * sgd.lr) - sgd.temperature * np.expm1(-2 * sgd.lr)
    assert_within(float((cloud["position"] ** 2).mean()), variance, variance * np.sqrt(2 / 400_000))


@pytest.mark.parametrize(
    ("landscape", "noise", "message"),
    [
        (sp.landscapes.DoubleWell(), sp.noises.Isotropic(), "solves quadratic landscapes, and DoubleWell is not known"),
        (sp.landscapes.Quadratic(1.0), Growing(), "needs noise of constant diffusion, and D of Growing"),
    ],
)
def test_other_problems_are_refused(landscape, noise, message):
    with pytest.raises(ValueError, match=message):
        ExactOrnsteinUhlenbeck().prepared(Problem(landscape, noise, None))


def test_schedules_in_many_coordinates_are_refused():
    with pytest.raises(ValueError, match="schedules in up to 45 coordinates, got 60"):
        sp.simulate(
            sp.landscapes.Quadratic(np.eye(60)), temperature=lambda time: 1 + time, dt=0.1, n_steps=5, n_particles=64,
            integrator=ExactOrnsteinUhlenbeck(),
        )  # fmt: skip
