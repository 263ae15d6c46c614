"""The exact gradient covariance of a finite sum as Gaussian noise."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys.noises import GradientCovariance

X = np.array([[1.0], [2.0], [-1.0], [0.5]])
Y = np.array([1.0, 1.0, 0.0, 2.0])
LINE = sp.landscapes.LeastSquares(X, Y)
H, FOURTH = np.mean(X**2), np.mean(X**4)
BEST = np.mean(X[:, 0] * Y) / H
NOISE = np.mean((X[:, 0] * (X[:, 0] * BEST - Y)) ** 2)
N = 200_000


def moments(temperature, dt):
    """Mean and variance of the Euler chain: C = s + b u + (m4 - h^2) u^2 with u = w - w*, E u = 0."""
    growth = (1 - H * dt) ** 2 + 2 * temperature * dt * (FOURTH - H**2)
    return BEST, 2 * temperature * dt * NOISE / (1 - growth)


@pytest.mark.parametrize("method", ["samples", "cholesky"])
def test_variance_of_least_squares(method):
    """Multiplicative: with the noise of the minimum alone the variance is 12 % smaller."""
    temperature, dt = 0.1, 0.02
    noise = GradientCovariance(method=method)
    cloud = sp.simulate(
        LINE, noise, temperature=temperature, dt=dt, t1=10.0, n_particles=N, start=BEST, seed=1, save_at=[10.0]
    )
    centred = (cloud["position"].values[-1, :, 0] - BEST) ** 2
    error = centred.std() / np.sqrt(N)
    assert_within(centred.mean(), moments(temperature, dt)[1], error)
    assert_excluded(centred.mean(), 2 * temperature * dt * NOISE / (1 - (1 - H * dt) ** 2), error)
    assert_excluded(centred.mean(), moments(temperature * 4 / 3, dt)[1], error)  # the sample covariance, over N - 1


def test_sgd_with_gaussian_noise_has_the_variance_of_real_minibatches():
    """One step of SGD with C(x) has the two first moments of minibatches: E u^2 = .03506948 at lr .2, B = 1."""
    cloud = sp.simulate(
        LINE, GradientCovariance(), sgd=sp.SGD(lr=0.2, batch_size=1), n_steps=60, n_particles=N, start=BEST, seed=1,
        save_at=1,
    )  # fmt: skip
    squares = (cloud["position"].values[-1, :, 0] - BEST) ** 2
    error = squares.std() / np.sqrt(N)
    assert_within(squares.mean(), 0.03506948, error)
    assert_excluded(squares.mean(), 0.0295519, error)


def test_choice_of_method():
    wide = sp.landscapes.LeastSquares(np.random.default_rng(0).normal(size=(9, 5)), np.ones(9))
    assert GradientCovariance().bound(LINE).channels(1) == 1
    assert GradientCovariance().bound(wide).channels(5) == 9
    assert GradientCovariance(method="cholesky").bound(wide).channels(5) == 5


def test_fewer_samples_than_coordinates():
    """C is singular; its factor has zero columns and no NaN."""
    few = sp.landscapes.LeastSquares(np.random.default_rng(0).normal(size=(2, 3)), np.array([1.0, 2.0]))
    for method in ("samples", "cholesky"):
        cloud = sp.simulate(
            few, GradientCovariance(method=method), temperature=0.1, dt=0.01, n_steps=20, n_particles=50, save_at=1
        )
        assert np.all(np.isfinite(cloud["position"].values))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GradientCovariance(method="exact"), 'method must be "auto"'),
        (lambda: GradientCovariance().kick_term(1), "has no landscape yet"),
        (lambda: GradientCovariance().bound(sp.landscapes.DoubleWell()), "needs a finite-sum landscape"),
        (lambda: GradientCovariance(LINE).kick_term(2), "1 coordinates, the landscape has 2"),
        (lambda: GradientCovariance(
            sp.landscapes.LeastSquares(np.ones((5000, 1)), np.ones(5000)), "samples").kick_term(1), "4096 samples"),
    ],
)  # fmt: skip
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
