"""Potentials of linear SGD: normalised, with the covariance of their stage, and what they refuse."""

import numpy as np
import pytest
from linear_drifts import BROKEN_BALANCE, Chain
from scipy.linalg import solve_continuous_lyapunov

import sgdphys as sp
from sgdphys.analysis import stationary_energies, stationary_energy

HESSIAN, COVARIANCE = BROKEN_BALANCE
STAGES = sp.SGDSchedule([(sp.SGD(lr=0.4, batch_size=1), 3), (sp.SGD(lr=0.1, batch_size=5), 4)])


def test_the_covariance_is_that_of_the_stage():
    pairs = stationary_energies(HESSIAN, COVARIANCE, STAGES)
    assert [steps for _, steps in pairs] == [3, 4]
    for (energy, _), (sgd, _) in zip(pairs, STAGES.stages, strict=True):
        chain = Chain(HESSIAN, COVARIANCE, sgd.temperature, sgd.lr)
        np.testing.assert_allclose(np.linalg.inv(energy.matrix / sgd.temperature), chain.S, rtol=1e-9)
        partition = np.sqrt(np.linalg.det(2 * np.pi * chain.S)) * np.exp(-energy.constant / sgd.temperature)
        assert partition == pytest.approx(1.0, rel=1e-12)


def test_one_potential_for_all_temperatures():
    limit = solve_continuous_lyapunov(HESSIAN, 2 * COVARIANCE)
    np.testing.assert_allclose(np.linalg.inv(stationary_energy(HESSIAN, COVARIANCE).matrix), limit, rtol=1e-9)
    chain = Chain(HESSIAN, COVARIANCE, 0.3, 0.2)
    found = 0.3 * np.linalg.inv(stationary_energy(HESSIAN, COVARIANCE, dt=0.2).matrix)
    np.testing.assert_allclose(found, chain.S, rtol=1e-9)
    assert np.abs(0.3 * limit - chain.S).max() > 0.01


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stationary_energies(HESSIAN, COVARIANCE, 0.1), "schedule must be an SGDSchedule, got 0.1"),
        (lambda: stationary_energies(HESSIAN, COVARIANCE, STAGES, mode="exact"), "mode must be"),
        (lambda: stationary_energies(HESSIAN, np.diag([1.0, 0.0]), STAGES), "the noise must reach every direction"),
        (lambda: stationary_energy(HESSIAN, COVARIANCE, dt=-1.0), "dt must be finite and not negative"),
        (
            lambda: stationary_energies(
                HESSIAN, COVARIANCE, sp.SGDSchedule([(sp.SGD(lr=0.1, batch_size=1, momentum=0.5), 1)])
            ),
            "momentum",
        ),
    ],
)
def test_what_has_no_potential_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as told:
        call()
    assert "\n" not in str(told.value)


def test_drawing_without_replacement_has_its_own_temperature():
    sgd = sp.SGD(lr=0.2, batch_size=5, sampling="without", n_samples=20)
    ((energy, _),) = stationary_energies(HESSIAN, COVARIANCE, sp.SGDSchedule([(sgd, 3)]))
    chain = Chain(HESSIAN, COVARIANCE, 0.02 * 15 / 19, 0.2)
    np.testing.assert_allclose(np.linalg.inv(energy.matrix / (0.02 * 15 / 19)), chain.S, rtol=1e-9)


def test_a_step_below_rounding_is_none():
    limit = stationary_energy(HESSIAN, COVARIANCE).matrix
    for dt in (1e-300, 1e-12):
        np.testing.assert_allclose(stationary_energy(HESSIAN, COVARIANCE, dt=dt).matrix, limit, rtol=1e-9)


@pytest.mark.parametrize("matrix", [None, "a", 1.0, np.ones((2, 3)), np.full((2, 2), np.nan), np.eye(2) * 1j, []])
def test_what_is_no_matrix_is_refused_in_one_line(matrix):
    for call in (lambda m: stationary_energy(m, COVARIANCE), lambda m: stationary_energy(HESSIAN, m)):
        with pytest.raises(ValueError, match=r"hessian|covariance") as told:
            call(matrix)
        assert "\n" not in str(told.value)
