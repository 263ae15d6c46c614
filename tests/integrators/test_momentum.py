"""Heavy ball, Nesterov and dampening by particles: exact variances, rotation, and what shuffling does to them."""

import json

import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from least_squares_data import FOUR_SAMPLES, constant_noise
from scipy import linalg

import sgdphys as sp
from sgdphys.noises import Diagonal, Isotropic

CURVATURES = np.array([0.1, 1.0, 4.0])
HEAVY_BALL = sp.SGD(lr=0.05, batch_size=1, momentum=0.9)


def test_heavy_ball_variances_of_three_curvatures():
    """Physics.md 10, with real coordinates side by side: 2.503294, .253333, .0659722 and Var v(h = 1) = 5.33333.

    Excluded: the continuous 1/(4 h), where it is far enough, and lr/(2 h) without 1/(1 - mu).
    """
    n = 1_500_000
    cloud = sp.simulate(
        sp.landscapes.Quadratic(np.diag(CURVATURES)), Isotropic(1.0), sgd=HEAVY_BALL, n_steps=300, n_particles=n,
        start=0.0, save_at=1,
    )  # fmt: skip
    position, velocity = ((cloud[name].values[0] ** 2).mean(axis=0) for name in ("position", "velocity"))
    exact, relative = np.array([2.503294, 0.253333, 0.0659722]), np.sqrt(2 / n)
    np.testing.assert_allclose(exact, 0.05 / (CURVATURES * 0.1 * (2 - 0.05 * CURVATURES / 1.9)), rtol=2e-6)
    assert_within(position, exact, exact * relative)
    assert_within(velocity[1], 5.33333, 5.33333 * relative)
    assert_excluded(position[1:], 0.25 / CURVATURES[1:], exact[1:] * relative)
    assert_excluded(position, 0.025 / CURVATURES, exact * relative)


@pytest.mark.parametrize(("h", "angle"), [(0.1, 0.0499513), (1.0, 0.2239150), (4.0, 0.4601663)])
def test_angle_and_damping_of_a_step(h, angle):
    """Of the path without noise, by the recursion that fits it: angles of physics.md 10, damping sqrt(mu)."""
    cloud = sp.simulate(
        sp.landscapes.Quadratic(h), Isotropic(1e-60), sgd=HEAVY_BALL, n_steps=100, n_particles=1, start=1.0, save_at=101
    )
    x = cloud["position"].values[:, 0, 0]
    (a, b), *_ = np.linalg.lstsq(np.stack([x[1:-1], x[:-2]], axis=1), x[2:])
    root = np.roots([1, -a, -b])[0]
    assert abs(np.angle(root)) == pytest.approx(angle, abs=1e-7)
    assert abs(root) == pytest.approx(np.sqrt(0.9), abs=1e-10)


def test_flat_directions_creep_and_steep_ones_swing():
    """The velocity changes sign iff lr h > (1 - sqrt mu)^2, which is .0026334 (physics.md 10)."""
    edge = (1 - np.sqrt(0.9)) ** 2 / 0.05
    assert edge * 0.05 == pytest.approx(0.0026334, rel=1e-4)
    for h, swings in ((0.9 * edge, False), (1.5 * edge, True)):
        cloud = sp.simulate(
            sp.landscapes.Quadratic(h),
            Isotropic(1e-60),
            sgd=HEAVY_BALL,
            n_steps=600,
            n_particles=1,
            start=1.0,
            save_at=601,
        )
        assert (cloud["position"].values.min() < 0) == swings


def test_the_autocorrelation_of_a_stationary_cloud_swings():
    """<x_0 x_k>/<x^2> follows the powers of the map; the continuous equation without inertia is excluded."""
    n, lags = 400_000, np.array([7, 14, 28])
    cloud = sp.simulate(
        sp.landscapes.Quadratic(1.0), Isotropic(1.0), sgd=HEAVY_BALL, n_steps=228, n_particles=n, start=0.0,
        save_at=0.05 * (200 + np.array([0, *lags])),
    )["position"].values[:, :, 0]  # fmt: skip
    step, kick = np.array([[1 - 0.05, -0.05 * 0.9], [1.0, 0.9]]), np.array([-0.05, 1.0])
    covariance = linalg.solve_discrete_lyapunov(step, np.outer(kick, kick))
    for frame, lag in enumerate(lags, start=1):
        exact = (np.linalg.matrix_power(step, lag) @ covariance)[0, 0]
        product = cloud[0] * cloud[frame]
        error = product.std() / np.sqrt(n)
        assert_within(product.mean(), exact, error)
        assert_excluded(product.mean(), covariance[0, 0] * np.exp(-0.5 * lag), error)


def covariance_of_map(h, noise, sgd):
    """Return the covariance of (x, v) under v <- mu v + (1 - tau) g, x <- x - lr v (or g + mu v), g = h x + noise."""
    lr, mu, gain = sgd.lr, sgd.momentum, 1 - sgd.dampening
    way = np.array([[1.0, -lr], [0.0, 1.0]])  # of (x, v) by the new v
    step, kick = way @ np.array([[1.0, 0.0], [gain * h, mu]]), way @ np.array([0.0, gain])
    if sgd.nesterov:  # g + mu v in place of v, the new one
        step, kick = np.array([[1.0, 0.0], [h, mu]]), np.array([0.0, 1.0])
        step[0] = [1 - lr * h * (1 + mu), -lr * mu**2]
        kick[0] = -lr * (1 + mu)
    return linalg.solve_discrete_lyapunov(step, noise * np.outer(kick, kick))


@pytest.mark.parametrize("form", [{"nesterov": True}, {"dampening": 0.5}], ids=["nesterov", "dampening"])
def test_other_forms_have_their_own_variances(form):
    """Stationary variances of the map with Gaussian noise of variance c/B; those of the heavy ball are excluded."""
    n, c, sgd = 400_000, 2.0, sp.SGD(lr=0.4, batch_size=4, momentum=0.6, **form)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(np.diag([0.5, 1.5])), Diagonal([c, c]), sgd=sgd, n_steps=120, n_particles=n, start=0.0,
        save_at=1,
    )  # fmt: skip
    plain = sp.SGD(lr=0.4, batch_size=4, momentum=0.6)
    for mode, h in enumerate((0.5, 1.5)):
        exact, wrong = (np.diag(covariance_of_map(h, c / 4, each)) for each in (sgd, plain))
        estimate = [(cloud[name].values[0, :, mode] ** 2).mean() for name in ("position", "velocity")]
        assert_within(estimate, exact, exact * np.sqrt(2 / n))
        assert_excluded(estimate, wrong, exact * np.sqrt(2 / n))


@pytest.mark.parametrize("form", [{"nesterov": True}, {"dampening": 0.5}, {}], ids=["nesterov", "dampening", "plain"])
def test_real_minibatches_have_the_variances_of_theory(form):
    n, sgd = 400_000, sp.SGD(lr=0.1, batch_size=2, momentum=0.6, **form)
    cloud = sp.simulate(FOUR_SAMPLES, sgd=sgd, n_steps=150, n_particles=n, start=0.0, save_at=1)
    theory = sp.theory.exact_sgd_covariance(FOUR_SAMPLES.inputs, FOUR_SAMPLES.targets, sgd)
    for name, exact in (("position", "stationary_covariance"), ("velocity", "velocity_covariance")):
        values = cloud[name].values[0, :, 0]
        squares = (values - values.mean()) ** 2
        error = squares.std() / np.sqrt(n)
        assert_within(squares.mean(), theory[exact].values[0, 0], error)
        assert_excluded(squares.mean(), 2 * theory[exact].values[0, 0], error)


def test_fluctuation_relation_with_dampening():
    """<x . grad f> = (lr/2) (1 + mu)/(1 - tau) <v . v> (physics.md 5); without 1/(1 - tau) it is excluded."""
    n, sgd = 400_000, sp.SGD(lr=0.3, batch_size=1, momentum=0.6, dampening=0.5)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(1.5), Isotropic(1.0), sgd=sgd, n_steps=100, n_particles=n, start=0.0, save_at=1
    )
    left = 1.5 * cloud["position"].values[0, :, 0] ** 2
    right = sgd.lr / 2 * 1.6 * cloud["velocity"].values[0, :, 0] ** 2
    error = (left - right / 0.5).std() / np.sqrt(n)
    assert_within((left - right / 0.5).mean(), 0.0, error)
    assert_excluded((left - right).mean(), 0.0, error)


def test_dampening_spares_the_first_step():
    """As torch: v = g at step 0, v <- mu v + (1 - tau) g afterwards, also when a run goes on from a cloud."""
    sgd = sp.SGD(lr=0.1, batch_size=1, momentum=0.5, dampening=0.8)
    options = {"sgd": sgd, "save_at": 1}
    well = sp.landscapes.Quadratic(1.0)
    first = sp.simulate(well, Isotropic(1e-60), **options, n_particles=1, start=1.0, n_steps=1)
    assert first["velocity"].item() == pytest.approx(1.0)
    second = sp.simulate(well, Isotropic(1e-60), **options, start=first, n_steps=1)
    assert second["velocity"].item() == pytest.approx(0.5 * 1.0 + 0.2 * 0.9)


def test_shuffled_epochs_with_momentum():
    """At the ends of epochs, against theory; independent draws are excluded."""
    n, sgd = 200_000, sp.SGD(lr=0.05, batch_size=1, momentum=0.7, sampling="shuffle", n_samples=20)
    cloud = sp.simulate(constant_noise(1.0, 20), sgd=sgd, n_steps=160, n_particles=n, start=0.0, save_at=1)
    theory = sp.theory.stationary_covariance([[1.0]], [[1.0]], sgd, mode="shuffle")
    squares = cloud["position"].values[0, :, 0] ** 2
    error = squares.std() / np.sqrt(n)
    assert_within(squares.mean(), theory["stationary_covariance"].values[0, 0], error)
    assert_excluded(squares.mean(), 0.05 / (0.3 * (2 - 0.05 / 1.7)), error)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_readings_of_the_noise_are_converted_at_the_effective_temperature(momentum):
    """D = 1 + x^2 in Haenggi and Klimontovich's reading is Ito with the curvature h - 2 T; T = lr/2B is another one."""
    sgd = sp.SGD(lr=0.1, batch_size=2, momentum=momentum, n_samples=10, sampling="without")
    options = {"sgd": sgd, "n_steps": 20, "n_particles": 50, "start": 0.5, "seed": 3}
    one = sp.simulate(
        sp.landscapes.Quadratic(1.0), sp.noises.Formula("1 + x**2", interpretation="hanggi-klimontovich"), **options
    )
    ito = sp.noises.Formula("1 + x**2")
    other = sp.simulate(sp.landscapes.Quadratic(1 - 2 * sgd.effective_temperature), ito, **options)
    np.testing.assert_allclose(one["position"], other["position"], rtol=1e-9)
    assert json.loads(one.attrs["configuration"])["temperature"] == sgd.effective_temperature
    assert sgd.effective_temperature != sgd.temperature
