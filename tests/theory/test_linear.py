import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys import theory


@pytest.mark.parametrize(("rotation", "ratio"), [(0.5, 1.25), (1.0, 2.0), (2.0, 5.0)])
def test_the_uncertainty_ratio(rotation, ratio):
    result = theory.rotating_current(1.0, rotation, 0.5)
    assert result["uncertainty_ratio"].item() == pytest.approx(ratio, rel=1e-12)
    assert result["entropy_production_rate"].item() == pytest.approx(2 * rotation**2)
    assert result["current_rate"].item() == pytest.approx(rotation)
    fine = theory.rotating_current(1.0, rotation, 0.5, dt=1e-7)
    for name in result:
        assert fine[name].item() == pytest.approx(result[name].item(), rel=1e-5)


def test_mean_and_variance_are_derivatives_of_the_generating_function():
    a, b, T, step = 1.3, 0.7, 0.4, 1e-3
    below, middle, above = (theory.current_generating_function(k, a, b, T).item() for k in (-step, 0.0, step))
    result = theory.rotating_current(a, b, T)
    assert middle == pytest.approx(0, abs=1e-15)
    assert (above - below) / (2 * step) == pytest.approx(result["current_rate"].item(), rel=1e-5)
    assert (above + below) / step**2 == pytest.approx(result["current_variance_rate"].item(), rel=1e-5)


def test_the_symmetry_of_the_fluctuation_theorem():
    for k in (-0.3, 0.1, 0.2):
        here, there = (theory.current_generating_function(q, 1.0, 0.5, 0.5).item() for q in (k, -1.0 - k))
        assert here == pytest.approx(there, rel=1e-12)


def test_the_euler_chain_itself_has_these_moments():
    # dt = .1, 200 steps from the stationary state, n = 20,000. The mean of the process is 12 % off, its variance more;
    # correlations beyond the ends change the variance by 1 / (2 a t) at most, less than its error: 200 steps are t = 20
    a, b, T, dt = 1.0, 1.5, 0.5, 0.1
    exact, limit = theory.rotating_current(a, b, T, dt=dt), theory.rotating_current(a, b, T)
    rng, turn = np.random.default_rng(0), 1 - a * dt + 1j * b * dt

    def normals():
        return rng.normal(size=20_000) + 1j * rng.normal(size=20_000)

    z = exact["coordinate_variance"].item() ** 0.5 * normals()
    sums = np.zeros((3, len(z)))
    current = np.zeros(len(z))
    for k in range(1, 401):
        new = turn * z + np.sqrt(2 * T * dt) * normals()
        current += np.imag(np.conj(z) * new)
        z = new
        if k in {200, 400}:
            sums[k // 200] = current
    first, second = sums[1], sums[2]
    t = 200 * dt
    assert_within(np.mean(np.abs(z) ** 2) / 2, exact["coordinate_variance"].item(), np.std(np.abs(z) ** 2) / 2 / 141.4)
    error = second.std() / 141.4 / (2 * t)
    assert_within(second.mean() / (2 * t), exact["current_rate"].item(), error)
    assert_excluded(second.mean() / (2 * t), limit["current_rate"].item(), error)
    # the difference of variances at 2t and t is free of the ends
    growth = (np.var(second) - np.var(first)) / t
    spread = np.hypot(np.var(second), np.var(first)) * (2 / 20_000) ** 0.5 / t
    assert_within(growth, exact["current_variance_rate"].item(), spread)
    assert_excluded(growth, limit["current_variance_rate"].item(), spread, 4)


def test_no_rotation_is_equilibrium():
    result = theory.rotating_current(1.0, 0.0, 0.5)
    assert result["current_rate"].item() == result["entropy_production_rate"].item() == 0
    assert np.isnan(result["uncertainty_ratio"].item())


def test_numbers_without_a_stationary_state_are_refused():
    with pytest.raises(ValueError, match="decay must be positive"):
        theory.rotating_current(0.0, 1.0, 0.5)
    with pytest.raises(ValueError, match=r"dt=2 must be below 2 a / \(a\^2 \+ b\^2\) = 1"):
        theory.rotating_current(1.0, 1.0, 0.5, dt=2.0)
    with pytest.raises(ValueError, match=r"k must lie between -2\.11803 and 0\.118034, got 1"):
        theory.current_generating_function(1.0, 1.0, 2.0, 1.0)
