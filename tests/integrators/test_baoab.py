"""BAOAB's stationary state on a quadratic, in closed form."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys.integrators import BAOAB


@pytest.mark.parametrize(("dt", "friction"), [(1.0, 1.0), (1.5, 0.5), (0.5, 4.0)])
def test_positions_are_exact_at_any_step(dt, friction):
    """T/h and, for velocities, T (1 - h dt^2/4); the variance of velocity Verlet's positions is excluded."""
    n, h, temperature = 400_000, 1.5, 0.3
    cloud = sp.simulate(
        sp.landscapes.Quadratic(h), temperature=temperature, dt=dt, integrator=BAOAB(friction), n_steps=80,
        n_particles=n, save_at=1,
    )  # fmt: skip
    exact, relative, softer = temperature / h, np.sqrt(2 / n), 1 - h * dt**2 / 4
    position = float((cloud["position"] ** 2).mean())
    velocity = float((cloud["velocity"] ** 2).mean())
    assert_within(position, exact, exact * relative)
    assert_excluded(position, exact / softer, exact * relative)
    assert_within(velocity, temperature * softer, temperature * softer * relative)
    assert_excluded(velocity, temperature, temperature * relative)
