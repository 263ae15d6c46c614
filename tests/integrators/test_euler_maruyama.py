"""Euler-Maruyama against its own chain: paths, stationary covariance, autocovariance."""

import naive
import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from scipy import linalg

import sgdphys as sp
from sgdphys.integrators import EulerMaruyama, Problem
from sgdphys.kernels.philox import key_of
from sgdphys.noises import Isotropic, LowRank


def root_of(noise, dim):
    return np.sqrt(noise.c) * np.eye(dim) if isinstance(noise, Isotropic) else noise.factor


@pytest.mark.parametrize("noise", [Isotropic(0.5), LowRank([[1.0, 0.0], [0.3, 0.4], [0.0, 2.0]])], ids=["iso", "low"])
def test_paths_equal_the_naive_chain(hessian, noise):
    start, options = np.array([0.5, -1.0, 2.0]), {"dt": 0.1, "temperature": 0.3}
    cloud = sp.simulate(
        sp.landscapes.Quadratic(hessian), noise, **options, n_steps=11, n_particles=300, start=start, save_at=12, seed=4
    )
    for particle in (0, 1, 63, 64, 299):
        path = naive.euler_maruyama(
            lambda x: hessian @ x, root_of(noise, 3), start, steps=11, key=key_of(4), particle=particle, **options
        )
        np.testing.assert_allclose(cloud["position"].values[:, particle], path, rtol=1e-5, atol=1e-5)


def test_a_nonlinear_path_equals_the_naive_chain():
    options = {"dt": 0.05, "temperature": 0.1}
    cloud = sp.simulate(
        sp.landscapes.DoubleWell(), **options, n_steps=40, n_particles=70, start=-1.0, save_at=41, seed=2, point=(3, 1)
    )
    path = naive.euler_maruyama(lambda x: x**3 - x, 1.0, [-1.0], steps=40, key=key_of(2, 3, 1), particle=69, **options)
    np.testing.assert_allclose(cloud["position"].values[:, 69], path, rtol=1e-5, atol=1e-5)


def test_stationary_variance_is_that_of_the_chain():
    """T/(h (1 - h dt/2)), physics.md G4; the continuous T/h is 60 standard errors away, lr/B for lr/(2B) 700."""
    h, dt, temperature, n = 1.0, 0.1, 0.1, 1_000_000
    cloud = sp.simulate(
        sp.landscapes.Quadratic(h), temperature=temperature, dt=dt, n_steps=150, n_particles=n, save_at=1
    )
    exact = temperature / (h * (1 - h * dt / 2))
    error = exact * np.sqrt(2 / n)
    variance = float((cloud["position"] ** 2).mean())
    assert_within(variance, exact, error)
    assert_excluded(variance, temperature / h, error, smallest=30)
    assert_excluded(variance, 2 * exact, error, smallest=100)


def test_sgd_temperature_is_lr_over_twice_the_batch():
    """The same through SGD settings; T = lr / (2 B) and not lr / B."""
    h, n, sgd = 2.0, 1_000_000, sp.SGD(lr=0.1, batch_size=4)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(h), Isotropic(3.0), sgd=sgd, integrator=EulerMaruyama(), n_steps=100, n_particles=n,
        save_at=1,
    )  # fmt: skip
    exact = 3.0 * sgd.temperature / (h * (1 - h * sgd.lr / 2))
    error = exact * np.sqrt(2 / n)
    variance = float((cloud["position"] ** 2).mean())
    assert_within(variance, exact, error)
    assert_excluded(variance, 2 * exact, error, smallest=100)


def test_autocovariance_is_a_power():
    """(1 - h dt)^k; the continuous exp(-h dt k) is far away at h dt = 0.5."""
    h, dt, n = 1.0, 0.5, 400_000
    times = dt * np.array([40, 41, 42, 44])
    cloud = sp.simulate(sp.landscapes.Quadratic(h), temperature=0.1, dt=dt, t1=22.0, n_particles=n, save_at=times)[
        "position"
    ].values[:, :, 0]
    variance = 0.1 / (h * (1 - h * dt / 2))
    for frame, k in ((1, 1), (2, 2), (3, 4)):
        exact = variance * (1 - h * dt) ** k
        error = np.sqrt((variance**2 + exact**2) / n)
        product = (cloud[0] * cloud[frame]).mean()
        assert_within(product, exact, error)
        assert_excluded(product, variance * np.exp(-h * dt * k), error)


def test_stationary_covariance_solves_the_discrete_lyapunov_equation(hessian, noise, diffusion, covariance_error):
    """S = (1 - dt H) S (1 - dt H) + 2 T dt D; the continuous H S + S H = 2 T D is excluded."""
    dt, temperature, n = 0.25, 0.2, 400_000
    cloud = sp.simulate(
        sp.landscapes.Quadratic(hessian), noise, temperature=temperature, dt=dt, n_steps=120, n_particles=n, start=0.0,
        save_at=1,
    )  # fmt: skip
    x = cloud["position"].values[0]
    covariance = x.T @ x / n
    exact = linalg.solve_discrete_lyapunov(np.eye(3) - dt * hessian, 2 * temperature * dt * diffusion)
    continuous = linalg.solve_continuous_lyapunov(hessian, 2 * temperature * diffusion)
    error = covariance_error(exact, n)
    assert_within(covariance, exact, error)
    assert_excluded(np.trace(covariance), np.trace(continuous), np.linalg.norm(np.diag(error)))


def test_temperature_zero_is_gradient_descent():
    cloud = sp.simulate(sp.landscapes.Quadratic(2.0), temperature=0.0, dt=0.1, n_steps=5, n_particles=3, start=1.0)
    np.testing.assert_allclose(cloud["position"].values[:, 0, 0], 0.8 ** np.arange(6), rtol=1e-14)


def test_what_it_does_not_know_is_refused():
    def prepare(sgd):
        EulerMaruyama().prepared(Problem(sp.landscapes.Quadratic(1.0), sp.noises.Isotropic(), sgd))

    with pytest.raises(ValueError, match=r"no momentum, got 0\.9"):
        prepare(sp.SGD(lr=0.1, batch_size=1, momentum=0.9))
    with pytest.raises(ValueError, match="weight decay as part of the landscape"):
        prepare(sp.SGD(lr=0.1, batch_size=1, weight_decay=0.1))
