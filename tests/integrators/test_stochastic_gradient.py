"""The map of SGD with Gaussian noise against its exact stationary states."""

import naive
import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from scipy import linalg

import sgdphys as sp
from sgdphys.integrators import Problem, StochasticGradient
from sgdphys.kernels.philox import key_of
from sgdphys.noises import Isotropic, LowRank


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_paths_equal_the_naive_map(hessian, momentum, weight_decay):
    sgd = sp.SGD(lr=0.1, batch_size=3, momentum=momentum, weight_decay=weight_decay, n_samples=10, sampling="without")
    noise, start = LowRank([[1.0, 0.0], [0.3, 0.4], [0.0, 2.0]]), np.array([0.5, -1.0, 2.0])
    cloud = sp.simulate(
        sp.landscapes.Quadratic(hessian), noise, sgd=sgd, n_steps=10, n_particles=130, start=start, save_at=11, seed=6
    )
    for particle in (0, 64, 129):
        x, v = naive.heavy_ball(
            lambda x: hessian @ x, noise.factor, start, sgd=sgd, steps=10, key=key_of(6), particle=particle
        )
        np.testing.assert_allclose(cloud["position"].values[:, particle], x, rtol=1e-5, atol=1e-5)
        if momentum:
            np.testing.assert_allclose(cloud["velocity"].values[:, particle], v, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("h", "position", "velocity"), [(1.0, 0.253333, 5.33333), (4.0, 0.0659722, None)])
def test_heavy_ball_has_its_exact_variances(h, position, velocity):
    """Physics.md 10(c), eta = .05, mu = .9, noise variance 1; the continuous 1/(4 h) is excluded."""
    n, sgd = 2_000_000, sp.SGD(lr=0.05, batch_size=1, momentum=0.9)
    assert position == pytest.approx(0.05 / (h * 0.1 * (2 - 0.05 * h / 1.9)), rel=1e-5)
    cloud = sp.simulate(sp.landscapes.Quadratic(h), Isotropic(1.0), sgd=sgd, n_steps=300, n_particles=n, save_at=1)
    variance = float((cloud["position"] ** 2).mean())
    assert_within(variance, position, position * np.sqrt(2 / n))
    assert_excluded(variance, 0.25 / h, position * np.sqrt(2 / n))
    if velocity is not None:
        assert_within(float((cloud["velocity"] ** 2).mean()), velocity, velocity * np.sqrt(2 / n))


def stationary_state(hessian, diffusion, sgd):
    """Covariance of (x, v) from S = A S A' + Q with v <- mu v + H x + xi, x <- x - lr v."""
    one, lr, mu = np.eye(len(hessian)), sgd.lr, sgd.momentum
    step = np.block([[one - lr * hessian, -lr * mu * one], [hessian, mu * one]])
    kick = np.vstack([-lr * one, one])
    return linalg.solve_discrete_lyapunov(step, kick @ diffusion @ kick.T * sgd.sampling_factor / sgd.batch_size)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_stationary_covariance_in_three_coordinates(hessian, noise, diffusion, covariance_error, momentum):
    n, sgd = 300_000, sp.SGD(lr=0.25, batch_size=2, momentum=momentum, weight_decay=0.2)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(hessian), noise, sgd=sgd, n_steps=150, n_particles=n, start=0.0, save_at=1
    )
    exact = stationary_state(hessian + 0.2 * np.eye(3), diffusion, sgd)
    state = cloud["position"].values[0]
    if momentum:
        state = np.concatenate([state, cloud["velocity"].values[0]], axis=1)
    exact = exact[: state.shape[1], : state.shape[1]]
    covariance = state.T @ state / n
    assert_within(covariance, exact, covariance_error(exact, n))
    lyapunov = linalg.solve_continuous_lyapunov(hessian + 0.2 * np.eye(3), 2 * sgd.effective_temperature * diffusion)
    error = np.linalg.norm(np.diag(covariance_error(exact, n))[:3])
    assert_excluded(np.trace(covariance[:3, :3]), np.trace(lyapunov), error, smallest=8)


def test_without_replacement_the_noise_is_smaller():
    """(N - B)/(N - 1) exactly; the factor 1 - B/N of other texts is 20 standard errors away."""
    n, lr, n_samples, batch = 1_000_000, 0.2, 20, 10
    sgd = sp.SGD(lr=lr, batch_size=batch, n_samples=n_samples, sampling="without")
    cloud = sp.simulate(sp.landscapes.Quadratic(1.0), Isotropic(1.0), sgd=sgd, n_steps=100, n_particles=n, save_at=1)
    plain = lr / (2 * batch) / (1 - lr / 2)
    exact = plain * (n_samples - batch) / (n_samples - 1)
    variance, error = float((cloud["position"] ** 2).mean()), exact * np.sqrt(2 / n)
    assert_within(variance, exact, error)
    assert_excluded(variance, plain * (1 - batch / n_samples), error)


def test_the_whole_data_set_has_no_noise():
    sgd = sp.SGD(lr=0.2, batch_size=20, n_samples=20, sampling="without")
    cloud = sp.simulate(sp.landscapes.Quadratic(1.0), Isotropic(1.0), sgd=sgd, n_steps=4, n_particles=5, start=1.0)
    np.testing.assert_allclose(cloud["position"].values[:, :, 0], np.tile(0.8 ** np.arange(5), (5, 1)).T, rtol=1e-14)


def test_without_momentum_it_is_euler_maruyama_at_dt_equal_lr():
    sgd, well = sp.SGD(lr=0.05, batch_size=2), sp.landscapes.DoubleWell()
    common = {"n_steps": 20, "n_particles": 100, "seed": 1}
    one = sp.simulate(well, Isotropic(1.0), sgd=sgd, **common)
    other = sp.simulate(well, temperature=sgd.temperature, dt=sgd.lr, **common)
    np.testing.assert_allclose(one["position"], other["position"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("scheme", "sgd", "message"),
    [
        (StochasticGradient(), None, "needs sgd="),
        (StochasticGradient(momentum=True), sp.SGD(lr=0.1, batch_size=1), r"does not fit sgd\.momentum=0"),
        (StochasticGradient(), sp.SGD(lr=0.1, batch_size=2, n_samples=4, sampling="shuffle"), "shuffle"),
    ],
)
def test_settings_that_do_not_fit_are_refused(scheme, sgd, message):
    with pytest.raises(ValueError, match=message):
        scheme.prepared(Problem(sp.landscapes.Quadratic(1.0), sp.noises.Isotropic(), sgd))
