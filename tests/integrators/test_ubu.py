"""UBU: free motion is exact, and paths converge to second order."""

import langevin_maps
import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from scipy import linalg

import sgdphys as sp
from sgdphys.integrators import UBU


@pytest.mark.parametrize("friction", [1e-3, 0.7, 5.0])
def test_free_motion_has_the_covariance_of_the_equation(friction):
    """Two steps without force; cruder noise, of the velocity alone, is excluded for the position."""
    n, dt, temperature = 400_000, 1.5, 0.4
    cloud = sp.simulate(
        sp.landscapes.Quadratic(0.0), temperature=temperature, dt=dt, integrator=UBU(friction), n_steps=2,
        n_particles=n, start=0.0, save_at=1,
    )  # fmt: skip
    generator, noise = np.array([[0.0, 1.0], [0.0, -friction]]), np.diag([0.0, 2 * friction * temperature])
    flow = linalg.expm(2 * dt * np.block([[-generator, noise], [np.zeros((2, 2)), generator.T]]))
    exact = flow[2:, 2:].T @ flow[:2, 2:]
    state = np.concatenate([cloud["position"].values[0], cloud["velocity"].values[0]], axis=1)
    error = np.sqrt((np.outer(np.diag(exact), np.diag(exact)) + exact**2) / n)
    assert_within(state.T @ state / n, exact, error)
    without_own = exact[0, 1] ** 2 / exact[1, 1]
    assert_excluded((state[:, 0] ** 2).mean(), without_own, error[0, 0])


def test_stationary_variances_on_a_quadratic():
    """From the map's own Lyapunov equation: at dt = 1 far from T/h and T."""
    n, options = 400_000, {"dt": 1.0, "temperature": 0.3}
    cloud = sp.simulate(
        sp.landscapes.Quadratic(1.0), **options, integrator=UBU(1.0), n_steps=80, n_particles=n, save_at=1
    )
    exact = np.diag(langevin_maps.stationary_covariance("UBU", np.eye(1), np.eye(1), friction=1.0, **options))
    variances = np.array([float((cloud[name] ** 2).mean()) for name in ("position", "velocity")])
    assert_within(variances, exact, exact * np.sqrt(2 / n))
    assert_excluded(variances, 0.3, exact * np.sqrt(2 / n))


def strong_error(dt):
    """Return the root mean square distance at time 2 from the path of the equation under the same Brownian motion.

    Steps and equation are both linear in the increments of free motion over dt/2, so that their joint covariance
    follows exactly: fine steps of the equation, cut into pieces, against one coarse kick.
    """
    h, friction, pieces, steps = 1.0, 1.0, 400, round(2 / dt)
    free = np.array([[0.0, 1.0], [0.0, -friction]])
    small = linalg.expm(free * dt / (2 * pieces))
    kicks = np.array([[1.0, 0.0], [-h * dt / (2 * pieces), 1.0]])  # of the fine chain, after each piece
    fine, coarse, kick = np.eye(2), np.eye(2), np.array([[1.0, 0.0], [-h * dt, 1.0]])
    noise = np.sqrt(2 * friction * dt / (2 * pieces)) * np.array([0.0, 1.0])
    joint = np.zeros((4, 4))
    both = np.concatenate([noise, noise])
    for k in range(2 * steps):
        for _ in range(pieces):
            fine, coarse = kicks @ small, small
            whole = linalg.block_diag(fine, coarse)
            joint = whole @ joint @ whole.T + np.outer(both, both)
        if k % 2 == 0:
            middle = linalg.block_diag(np.eye(2), kick)
            joint = middle @ joint @ middle.T
    return np.sqrt(joint[0, 0] + joint[2, 2] - 2 * joint[0, 2])


def test_paths_converge_to_second_order():
    """Strong order 2, which the other splittings lack."""
    errors = [strong_error(dt) for dt in (0.4, 0.2, 0.1)]
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    np.testing.assert_allclose(orders, 2, atol=0.15)
