"""Stable noise: its characteristic function, its stationary law, its tails."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys.noises import Stable

FLAT = sp.landscapes.Quadratic(np.zeros((2, 2)))
K = np.array([0.3, 0.7, 1.0, 1.6])
N = 200_000
ALPHAS = [2.0, 1.8, 1.5, 1.0, 0.7]


def increments(alpha, temperature, dt, steps=1):
    cloud = sp.simulate(
        FLAT, Stable(alpha), temperature=temperature, dt=dt, n_steps=steps, n_particles=N, start=0.0, seed=4, save_at=1
    )
    return cloud["position"].values[0]


def characteristic(x):
    """Return mean and standard error of cos(k x), shape (k,)."""
    waves = np.cos(np.multiply.outer(K, x))
    return waves.mean(axis=1), waves.std(axis=1) / np.sqrt(len(x))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_characteristic_function_of_increments(alpha):
    """exp(-T dt |k|^alpha) in each coordinate, whatever dt; noise of twice the temperature is far off."""
    temperature, dt = 0.8, 0.5
    for steps in (1, 3):
        for x in increments(alpha, temperature, dt, steps).T:
            mean, error = characteristic(x)
            exponent = steps * temperature * dt * K**alpha
            assert_within(mean, np.exp(-exponent), error)
            assert_excluded(mean, np.exp(-2 * exponent), error)
            assert_within(np.sin(np.multiply.outer(K, x)).mean(axis=1), 0.0, 1 / np.sqrt(N))


def test_coordinates_are_independent():
    """The joint characteristic function is the product, not that of rotationally symmetric stable noise."""
    x, y = increments(1.0, 1.0, 1.0).T
    waves = np.cos(x + y)
    error = waves.std() / np.sqrt(N)
    assert_within(waves.mean(), np.exp(-2.0), error)
    assert_excluded(waves.mean(), np.exp(-np.sqrt(2)), error)


@pytest.mark.parametrize("alpha", [2.0, 1.5, 1.0])
def test_stationary_law_in_a_bowl(alpha):
    """Scale s of a quadratic: s^alpha = T dt / (1 - |1 - h dt|^alpha) of the chain, T/(alpha h) for small dt."""
    h, temperature, dt = 1.0, 0.6, 0.1
    cloud = sp.simulate(
        sp.landscapes.Quadratic(h), Stable(alpha), temperature=temperature, dt=dt, t1=16.0, n_particles=N, start=0.0,
        seed=4, save_at=[16.0],
    )  # fmt: skip
    mean, error = characteristic(cloud["position"].values[-1, :, 0])
    power = temperature * dt / (1 - (1 - h * dt) ** alpha)
    assert power == pytest.approx(temperature / (alpha * h), rel=0.06)
    assert_within(mean, np.exp(-power * K**alpha), error)
    assert_excluded(mean, np.exp(-2 * power * K**alpha), error)


@pytest.mark.parametrize("alpha", [1.5, 1.0])
def test_tails_fall_as_a_power(alpha):
    """P(|x| > q) -> (2/pi) Gamma(alpha) sin(pi alpha/2) / q^alpha at unit scale (Nolan 2020)."""
    from scipy.special import gamma

    x = np.abs(increments(alpha, 1.0, 1.0).ravel())
    level = 60.0
    expected = 2 / np.pi * gamma(alpha) * np.sin(np.pi * alpha / 2) * level**-alpha
    assert_within(np.mean(x > level), expected, np.sqrt(expected / len(x)))


def test_alpha_two_is_gaussian_noise_of_unit_diffusion():
    x = increments(2.0, 0.5, 1.0)[:, 0]
    error = np.sqrt(2 / N)
    assert_within(x.var(), 1.0, error)
    assert_within((x**4).mean(), 3.0, np.sqrt(96 / N))
    np.testing.assert_array_equal(Stable(2).diffusion(np.zeros((3, 2))), np.broadcast_to(np.eye(2), (3, 2, 2)))
    assert Stable(2.0).amplitude(0.5, 0.02) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stable(2.1), "between 0.5 and 2"),
        (lambda: Stable(0.4), "between 0.5 and 2"),
        (lambda: Stable(-1.0), "alpha must be positive"),
        (lambda: Stable(1.5).diffusion(np.zeros((1, 1))), "infinite variance"),
        (lambda: sp.fokker_planck.stationary(
            FLAT, Stable(1.5), temperature=1.0, grid=sp.Grid([(-1, 1, 4)] * 2)), "obeys no Fokker-Planck equation"),
        (lambda: sp.simulate(
            FLAT, Stable(1.5), sgd=sp.SGD(lr=0.1, batch_size=1), n_steps=1, n_particles=1), "needs Gaussian noise"),
    ],
)  # fmt: skip
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
