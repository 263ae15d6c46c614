"""The weight of entropy production: none with detailed balance, and what it refuses; its numbers are tested beside."""

import numpy as np
import pytest
from linear_drifts import BROKEN_BALANCE, Chain

from sgdphys.analysis import entropy_production_weight

HESSIAN, COVARIANCE = BROKEN_BALANCE


@pytest.mark.parametrize("dt", [None, 0.3])
def test_detailed_balance_produces_no_entropy(dt):
    """H and C that commute: the weight is symmetric at most, whose current is the change of a function of state."""
    weight = entropy_production_weight(HESSIAN, np.diag([1.0, 3.0]), dt=dt)
    np.testing.assert_allclose(weight, 0, atol=1e-9)
    broken = entropy_production_weight(HESSIAN, COVARIANCE, dt=dt)
    assert np.abs(broken - broken.T).max() > 1


def test_the_chain_becomes_the_process():
    exact = entropy_production_weight(HESSIAN, COVARIANCE)
    errors = [np.abs(entropy_production_weight(HESSIAN, COVARIANCE, dt=dt) - exact).max() for dt in (0.02, 0.01)]
    assert errors[0] / errors[1] == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("drift", "diffusion", "dt", "message"),
    [
        (np.eye(2), np.diag([1.0, 0.0]), None, "diffusion must be symmetric and positive"),
        (np.eye(2), [[1.0, 0.5], [0.0, 1.0]], None, "diffusion must be symmetric and positive"),
        (np.diag([1.0, -1.0]), np.eye(2), None, "drift must confine"),
        (np.eye(2), np.eye(2), 2.5, "does not settle at dt=2.5"),
        (np.eye(2), np.eye(3), None, "must have one shape"),
        ([[np.nan]], [[1.0]], None, "drift must be a finite square matrix"),
        (np.eye(2), np.eye(2), -0.1, "dt must be positive"),
    ],
)
def test_what_has_no_stationary_state_is_refused_in_one_line(drift, diffusion, dt, message):
    with pytest.raises(ValueError, match=message) as told:
        entropy_production_weight(drift, diffusion, dt=dt)
    assert "\n" not in str(told.value)


def test_the_weight_of_a_chain_is_the_logarithm_of_its_steps_over_their_reverse():
    """ln p(x'|x) p(x) - ln p(x|x') p(x') of a chain that turns, with uneven noise, at random pairs of points."""
    chain = Chain([[1.0, 0.9], [-0.3, 0.6]], COVARIANCE, 0.7, 0.2)
    weight = entropy_production_weight(chain.A, chain.D, dt=chain.dt)
    x, y = np.random.default_rng(0).normal(size=(2, 50, 2))

    def log_joint(early, late):
        step = late - early @ chain.M.T
        squares = np.sum(step @ np.linalg.inv(chain.V) * step, axis=1)
        return -(squares + np.sum(early @ np.linalg.inv(chain.S) * early, axis=1)) / 2

    produced = np.sum((x + y) / 2 @ weight.T * (y - x), axis=1)
    np.testing.assert_allclose(produced, log_joint(x, y) - log_joint(y, x), rtol=1e-9, atol=1e-10)


def test_drifts_that_barely_confine_and_what_is_no_matrix_are_refused():
    with pytest.raises(ValueError, match="drift must confine"):
        entropy_production_weight(np.diag([1e-8, 1e8]), np.eye(2))
    for wrong in (None, "a", np.ones((2, 3)), np.eye(2) * 1j, [[1.0], [1.0, 2.0]]):
        for arguments in ((wrong, COVARIANCE), (HESSIAN, wrong)):
            with pytest.raises(ValueError, match=r"drift|diffusion") as told:
                entropy_production_weight(*arguments)
            assert "\n" not in str(told.value)
