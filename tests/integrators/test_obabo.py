"""OBABO's stationary state on a quadratic, in closed form."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys.integrators import OBABO


@pytest.mark.parametrize(("dt", "friction"), [(1.0, 1.0), (0.5, 4.0)])
def test_variances_of_position_and_velocity(dt, friction):
    """T/(h (1 - h dt^2/4)) and T; the T/h of the equation is excluded."""
    n, h, temperature = 400_000, 1.5, 0.3
    cloud = sp.simulate(
        sp.landscapes.Quadratic(h), temperature=temperature, dt=dt, integrator=OBABO(friction), n_steps=80,
        n_particles=n, save_at=1,
    )  # fmt: skip
    exact, relative = temperature / (h * (1 - h * dt**2 / 4)), np.sqrt(2 / n)
    position = float((cloud["position"] ** 2).mean())
    assert_within(position, exact, exact * relative)
    assert_excluded(position, temperature / h, exact * relative)
    assert_within(float((cloud["velocity"] ** 2).mean()), temperature, temperature * relative)
