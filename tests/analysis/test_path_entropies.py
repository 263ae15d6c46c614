"""The weight of entropy production: none with detailed balance, and what it refuses; its numbers are tested beside."""

import numpy as np
import pytest
from linear_drifts import BROKEN_BALANCE

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
