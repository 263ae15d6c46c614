"""Example 19 of Chaudhari and Soatto: its state by quadrature, the zeros of its drift, its noise-free flow."""

import asserts
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import sgdphys as sp
from sgdphys.landscapes import ChaudhariSoatto

AXIS = np.linspace(-8, 8, 801)
GRID = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 2)


def averages(values):
    """Return averages over exp(-f), by sums that are exact to rounding for fields that decay like this."""
    weights = np.exp(-ChaudhariSoatto().potential(GRID))
    return weights @ values / weights.sum()


def test_the_stationary_state():
    landscape = ChaudhariSoatto()
    weights = np.exp(-landscape.potential(GRID)) * (AXIS[1] - AXIS[0]) ** 2
    assert weights.sum() == pytest.approx(7.6234684, abs=1e-7)
    assert -np.log(weights.sum()) == pytest.approx(-2.031231, abs=1e-6)
    np.testing.assert_allclose(averages(GRID**2), [1.041797, 1.0], atol=1e-6)
    second_moment = averages(GRID[:, 0] ** 2)  # the virial theorem, E[x df/dx] = T, gives E f = 1 - E x^2 / 4
    assert averages(landscape.potential(GRID)) == pytest.approx(1 - second_moment / 4, abs=1e-12)


def test_rates_of_entropy_and_area():
    for rotation in (0.5, 1.5):
        circulation = ChaudhariSoatto(rotation).circulation(GRID)
        assert averages((circulation**2).sum(axis=1)) == pytest.approx(0.681382 * rotation**2, abs=1e-5)
        area = (GRID[:, 0] * circulation[:, 1] - GRID[:, 1] * circulation[:, 0]) / 2
        assert averages(area) == pytest.approx(0.412095 * rotation, abs=1e-6)


def test_the_current_has_no_divergence_though_the_circulation_has():
    landscape, points = ChaudhariSoatto(1.5), np.random.default_rng(0).normal(size=(200, 2))

    def current(x):
        return landscape.circulation(x) * np.exp(-landscape.potential(x))[:, np.newaxis]

    slopes = asserts.central_difference(current, points)
    assert np.abs(np.einsum("pii->p", slopes)).max() < 1e-9 * np.abs(slopes).max()
    growth = np.einsum("pii->p", landscape.circulation_derivative(points))
    exact = np.einsum("pi,pi->p", landscape.circulation(points), landscape.base.gradient(points))
    np.testing.assert_allclose(growth, exact, rtol=1e-12, atol=1e-13)
    squares = np.einsum("pii->p", landscape.circulation_derivative(GRID)) ** 2
    assert np.sqrt(averages(squares)) == pytest.approx(0.678, abs=1e-3)


def test_zeros_of_the_drift():
    zeros = ChaudhariSoatto(0.5).drift_zeros
    np.testing.assert_allclose(zeros, [[0, 0], [0.90243, 0.38880], [-0.90243, -0.38880]], atol=5e-6)
    mirrored = ChaudhariSoatto(-0.5).drift_zeros
    np.testing.assert_allclose(mirrored, zeros * [1, -1], atol=1e-14)
    np.testing.assert_allclose(ChaudhariSoatto(0.0).drift_zeros, [[0, 0], [1, 0], [-1, 0]], atol=1e-14)
    for rotation in (0.0, 0.3, -0.5, 0.77, 0.778):
        landscape = ChaudhariSoatto(rotation)
        assert np.abs(landscape.gradient(landscape.drift_zeros)).max() < 1e-14


def test_above_the_critical_rotation_the_origin_alone_is_left():
    assert ChaudhariSoatto().critical_rotation == pytest.approx(0.7788, abs=1e-4)
    assert np.array_equal(ChaudhariSoatto(0.78).drift_zeros, [[0, 0]])
    eigenvalues = np.linalg.eigvals(-ChaudhariSoatto(1.5).hessian([[0.0, 0.0]])[0])
    np.testing.assert_allclose(np.sort(eigenvalues.imag), [-1.6461, 1.6461], atol=5e-5)
    assert np.abs(eigenvalues.real).max() < 1e-14


def test_the_noise_free_flow_spirals_into_the_origin_and_not_onto_a_cycle():
    """r sqrt(t) tends to 2.456 for the largest r of a turn: 1/r^2 grows by 1/2.456^2 a time, from any start."""
    landscape = ChaudhariSoatto(1.5)
    times = np.concatenate([t + np.linspace(-2, 2, 321) for t in (325, 1025)])
    flow = solve_ivp(lambda _, x: -landscape.gradient(x[np.newaxis])[0], (0, 1028), [1.0, 0.5], t_eval=times, rtol=1e-7)
    radius = np.hypot(*flow.y).reshape(2, 321).max(axis=1)
    growth = (radius[1] ** -2 - radius[0] ** -2) / 700
    assert growth**-0.5 == pytest.approx(2.456, rel=0.005)


def test_particles_keep_the_state_and_circulate():
    """Second moments and area at dt = 0.005; without the minus sign in c the area would have the other sign."""
    landscape, dt = ChaudhariSoatto(1.5), 0.005
    options = {"temperature": 1.0, "dt": dt, "n_particles": 20_000, "seed": 4}
    cloud = sp.simulate(landscape, **options, t1=6.0, start=0.3, save_at=[6.0 - dt, 6.0])
    before, after = cloud["position"].values
    squares = after**2
    errors = squares.std(axis=0) / np.sqrt(len(squares))
    asserts.assert_within(squares.mean(axis=0), [1.041797, 1.0], errors)
    drift = -landscape.gradient(before)
    area = (before[:, 0] * drift[:, 1] - before[:, 1] * drift[:, 0]) / 2
    error = area.std() / np.sqrt(len(area))
    asserts.assert_within(area.mean(), 0.61814, error)
    asserts.assert_excluded(area.mean(), 0.0, error)


def test_it_does_not_overflow():
    far = np.array([[1e3, 1e3], [1e5, -1e5], [0.0, 1e10]])
    assert np.all(np.isfinite(ChaudhariSoatto().gradient(far)))


def test_equality_and_names():
    assert ChaudhariSoatto(1.5) == ChaudhariSoatto() != ChaudhariSoatto(0.5)
    assert sp.landscapes.named("chaudhari-soatto") == ChaudhariSoatto()
    assert len({ChaudhariSoatto(), ChaudhariSoatto(1.5)}) == 1
    with pytest.raises(ValueError, match="rotation must be finite"):
        ChaudhariSoatto(np.inf)
