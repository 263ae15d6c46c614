"""The exact flow of a linear equation against Van Loan's block exponential and quadrature."""

import numpy as np
import pytest
from scipy import integrate, linalg

import sgdphys as sp
from sgdphys.integrators.linear_flow import LinearFlow, constant_hessian, kick_root

L = sp.landscapes


def van_loan(hessian, diffusion, dt):
    """The integral of exp(-H s) D exp(-H s) over a step, from one block exponential (Van Loan 1978)."""
    dim = len(hessian)
    block = linalg.expm(dt * np.block([[hessian, diffusion], [np.zeros((dim, dim)), -hessian.T]]))
    return block[dim:, dim:].T @ block[:dim, dim:]


@pytest.mark.parametrize("dt", [1e-6, 0.1, 2.0])
def test_the_covariance_is_van_loans(hessian, noise, dt):
    flow = LinearFlow(hessian, np.zeros(3), kick_root(noise, 3))
    exact = van_loan(hessian, noise.diffusion(np.zeros((1, 3)))[0], dt) / dt
    np.testing.assert_allclose(flow.covariance(dt), exact, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(flow.kick(dt) @ flow.kick(dt).T, exact, rtol=1e-10, atol=1e-12)


def test_stiff_and_unstable_and_flat_directions_are_covered():
    """At h dt = 500 the block exponential overflows; each mode has its closed form."""
    values, dt = np.array([-1.0, 0.0, 1000.0]), 0.5
    flow = LinearFlow(np.diag(values), np.array([1.0, 2.0, 3.0]), np.eye(3))
    shift, propagator = np.split(flow.numbers(dt)[:12], [3])
    np.testing.assert_allclose(propagator.reshape(3, 3), np.diag(np.exp(-values * dt)), atol=1e-15)
    np.testing.assert_allclose(shift, [-np.expm1(0.5), -2.0 * 0.5, -3.0 / 1000], rtol=1e-12)
    variance = [np.expm1(1.0) / 2, 0.5, 1 / 2000]
    np.testing.assert_allclose(np.diag(flow.covariance(dt)) * dt, variance, rtol=1e-12)


def test_the_shift_is_the_integral_of_the_propagator(hessian):
    slope, dt = np.array([1.0, -0.5, 2.0]), 0.7
    exact, _ = integrate.quad_vec(lambda s: -linalg.expm(-s * hessian) @ slope, 0, dt)
    np.testing.assert_allclose(LinearFlow(hessian, slope, np.eye(3)).numbers(dt)[:3], exact, rtol=1e-10)


def test_the_root_tends_to_that_of_the_noise(hessian, noise):
    """R - B falls in proportion to dt; deviates of further sets count ever less."""
    root = kick_root(noise, 3)
    np.testing.assert_allclose(root @ root.T, noise.diffusion(np.zeros((1, 3)))[0], rtol=1e-12, atol=1e-14)
    flow = LinearFlow(hessian, np.zeros(3), root)
    channels = root.shape[1]
    far, near = (np.abs(flow.kick(dt)[:, :channels] - root).max() for dt in (1e-2, 1e-3))
    assert near < 2e-3
    assert 8 < far / near < 12
    assert np.abs(flow.kick(1e-3)[:, channels:]).max(initial=0.0) < 2e-3


@pytest.mark.parametrize(
    ("landscape", "hessian"),
    [
        (L.Quadratic([[2.0, 1.0], [1.0, 3.0]]), [[2.0, 1.0], [1.0, 3.0]]),
        (2.0 * L.Quadratic(3.0) + L.Quadratic(1.0), [[7.0]]),
        (L.Tilted(L.Quadratic(3.0), 0.5), [[3.0]]),
        (L.Linear([1.0, 2.0]), [[0.0, 0.0], [0.0, 0.0]]),
        (L.Quadratic(1.0) + L.DoubleWell(), None),
        (L.Expression("x**2/2"), None),
    ],
    ids=["quadratic", "sum", "tilted", "ramp", "sum with a quartic", "formula"],
)
def test_parabolas_are_known_by_their_making(landscape, hessian):
    found = constant_hessian(landscape)
    assert (found is None) == (hessian is None)
    if hessian is not None:
        np.testing.assert_allclose(found, hessian)


def test_a_matrix_that_is_not_the_hessian_is_found_out():
    class Quartic(type(L.DoubleWell())):
        matrix = np.array([[-1.0]])

    assert constant_hessian(Quartic()) is None
