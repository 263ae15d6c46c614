"""Expectations on circles against closed forms."""

import numpy as np
import pytest

import sgdphys as sp
from sgdphys.integrators import UBU, EulerMaruyama
from sgdphys.noises import Formula, Isotropic
from sgdphys.testing.axes import circle, velocities
from sgdphys.testing.circles import exact_expectation, expectation
from sgdphys.testing.stepping import stepper

FLAT = sp.landscapes.Expression("0*x")


@pytest.mark.parametrize(("axis", "field", "slope"), [
    (circle(31), lambda x: np.exp(np.sin(x)), lambda x: np.cos(x) * np.exp(np.sin(x))),
    (velocities(9, 0.3), lambda v: v**4 - v, lambda v: 4 * v**3 - 1),
])  # fmt: skip
def test_axes_interpolate_and_differentiate(axis, field, slope):
    coefficients = axis.transform @ field(axis.points)
    between = np.linspace(-1.2, 1.3, 7)
    np.testing.assert_allclose(axis.functions(between) @ coefficients, field(between), atol=1e-11)
    np.testing.assert_allclose(axis.derivative @ field(axis.points), slope(axis.points), atol=1e-9)


def test_diffusion_on_a_circle():
    """E cos x = e^(-T t) cos x of the equation, and of Euler-Maruyama, which is exact there."""
    axis = circle(15)
    options = {"temperature": 0.4, "dt": 0.25}
    exact = np.exp(-0.4) * np.cos(axis.points)
    own = exact_expectation(FLAT, Isotropic(1.0), 0.4, [axis], np.cos, 1.0)
    np.testing.assert_allclose(own, exact, atol=1e-13)
    scheme = stepper(EulerMaruyama(), FLAT, Isotropic(1.0), **options)
    np.testing.assert_allclose(expectation(scheme, [axis], np.cos(axis.points), 4), exact, atol=1e-7)


def test_readings_differ_by_their_drift():
    """The Haenggi-Klimontovich reading has the generator d/dx T D d/dx, which keeps the uniform law; Ito's does not."""
    axis = circle(31)
    for reading, kept in (("hanggi-klimontovich", True), ("ito", False)):
        noise = Formula("1 + sin(x)/2", interpretation=reading)
        after = exact_expectation(FLAT, noise, 0.4, [axis], lambda x: np.cos(x) + np.sin(x), 1.0)
        assert (abs(after.mean()) < 1e-12) == kept


def test_free_motion():
    """E v = e^(-gamma t) v and E v^2 relaxes to T, of the equation and of UBU, which is exact there."""
    axes, friction, temperature = [circle(5), velocities(6, 0.4)], 1.3, 0.4
    scheme = stepper(UBU(friction), FLAT, Isotropic(1.0), temperature=temperature, dt=0.5)
    v = np.tile(axes[1].points, 5)
    decay = np.exp(-friction)
    for power, exact in ((1, decay * v), (2, decay**2 * v**2 + temperature * (1 - decay**2))):
        own = exact_expectation(
            FLAT, Isotropic(1.0), temperature, axes, lambda x, v, power=power: v**power + 0 * x, 1.0, friction
        )
        np.testing.assert_allclose(own, exact, atol=1e-11)
        np.testing.assert_allclose(expectation(scheme, axes, v**power, 2), exact, atol=1e-6)
