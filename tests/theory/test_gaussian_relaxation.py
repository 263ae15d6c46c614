import numpy as np
import pytest

from sgdphys import SGD, theory

TURN = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
HESSIAN, NOISE = np.diag([2.0, 0.5]), TURN @ np.diag([1.0, 0.1]) @ TURN.T


def test_one_coordinate():
    result = theory.free_energy_of_linear(
        [[1.0]], [[1.0]], [0, 0.5, 1, 2, 4], temperature=0.1, mean=1.0, start_covariance=[[0.01]]
    )
    expected = [0.570129, 0.187491, 0.0680717, 0.00916469, 0.000167734]
    np.testing.assert_allclose(0.1 * result["relative_entropy"], expected, rtol=3e-6)
    fall = result["free_energy"] + 0.1 * np.log(2 * np.pi * 0.1) / 2  # -T ln Z at the end
    np.testing.assert_allclose(fall, expected, rtol=3e-6)
    np.testing.assert_allclose(result["loss_free_energy"], result["free_energy"], rtol=1e-12)


def test_the_loss_is_not_what_falls():
    # from the Gibbs state of the loss E[loss] - T H rises by .427521 T while the free energy falls
    result = theory.free_energy_of_linear(
        HESSIAN, NOISE, np.linspace(0, 30, 61), temperature=0.1, start_covariance=0.1 * np.linalg.inv(HESSIAN)
    )
    wrong = result["loss_free_energy"].values
    assert (wrong[-1] - wrong[0]) / 0.1 == pytest.approx(0.427521, abs=5e-7)
    assert np.all(np.diff(wrong) > -1e-14)
    assert np.all(np.diff(result["free_energy"]) < 1e-14)
    stationary = theory.decompose_linear(HESSIAN, NOISE, temperature=0.1)["stationary_covariance"].values
    end = -0.1 * np.linalg.slogdet(2 * np.pi * stationary)[1] / 2
    np.testing.assert_allclose(result["free_energy"] - 0.1 * result["relative_entropy"], end, rtol=1e-12)


def test_moments_agree_with_those_of_the_equation_in_time():
    # three coordinates, from a point of tiny width: the entropy of the covariance that moments_in_time has
    rng = np.random.default_rng(1)
    root, sgd = rng.normal(size=(3, 3)), SGD(lr=0.02, batch_size=4)
    H, C, start = np.diag([1.0, 2.0, 0.5]), root @ root.T, [1.0, -1.0, 2.0]
    moments = theory.moments_in_time(H, C, sgd, [30, 200], start=start, equation="first order")
    result = theory.free_energy_of_linear(
        H, C, moments["moment_time"], sgd=sgd, mean=start, start_covariance=1e-12 * np.eye(3)
    )
    entropies = np.linalg.slogdet(2 * np.pi * np.e * moments["covariance"].values)[1] / 2
    np.testing.assert_allclose(result["entropy"], entropies, rtol=1e-6)
    squares = moments["covariance"].values + np.einsum("ti,tj->tij", moments["mean"], moments["mean"])
    np.testing.assert_allclose(result["mean_loss"], np.einsum("ij,tij->t", H, squares) / 2, rtol=1e-9)


def test_a_drift_that_turns_has_a_falling_free_energy_and_no_loss():
    A = [[1.0, 3.0], [-3.0, 1.0]]
    result = theory.free_energy_of_linear(A, NOISE, np.linspace(0, 5, 50), mean=[2.0, 0], start_covariance=np.eye(2))
    assert np.all(np.diff(result["free_energy"]) < 0)
    assert "loss_free_energy" not in result
    assert result["relative_entropy"].values[-1] < 1e-3


@pytest.mark.parametrize(
    ("noise", "times", "start", "message"),
    [
        (np.diag([1.0, 0.0]), [1.0], np.eye(2), "does not reach all directions"),
        (NOISE, [-1.0], np.eye(2), "times must be finite and not negative"),
        (NOISE, [[1.0]], np.eye(2), "in one dimension"),
        (NOISE, [1.0], np.zeros((2, 2)), "start_covariance must be positive definite"),
        (NOISE, [1.0], np.eye(3), r"covariance of shape \(2, 2\)"),
    ],
)
def test_starts_and_noises_without_a_free_energy_are_refused(noise, times, start, message):
    with pytest.raises(ValueError, match=message):
        theory.free_energy_of_linear(HESSIAN, noise, times, start_covariance=start)


def test_moments_of_a_drift_that_turns_solve_their_equation():
    """dS/dt = 2 C - A S - S A', integrated in small steps; the transpose of e^(-A t) would turn the other way."""
    A = np.array([[1.0, 2.0], [-0.5, 0.4]])
    start = np.diag([3.0, 0.2])
    result = theory.free_energy_of_linear(A, NOISE, [0.7], mean=[1.0, 0.5], start_covariance=start)
    covariance, mean, steps = start.copy(), np.array([1.0, 0.5]), 7000
    for _ in range(steps):
        middle = covariance + 0.5e-4 * (2 * NOISE - A @ covariance - covariance @ A.T)
        covariance = covariance + 1e-4 * (2 * NOISE - A @ middle - middle @ A.T)
        mean = mean - 1e-4 * A @ (mean - 0.5e-4 * A @ mean)
    entropy = np.linalg.slogdet(2 * np.pi * np.e * covariance)[1] / 2
    assert result["entropy"].item() == pytest.approx(entropy, abs=1e-6)
    U = theory.decompose_linear(A, NOISE)["potential_matrix"].values
    potential = np.sum(U * (covariance + np.outer(mean, mean))) / 2
    assert result["mean_potential"].item() == pytest.approx(potential, rel=1e-6)


def test_the_end_of_time_is_the_stationary_state():
    result = theory.free_energy_of_linear(HESSIAN, NOISE, [1e4, 1e300], mean=3.0, start_covariance=np.eye(2))
    np.testing.assert_allclose(result["relative_entropy"], 0, atol=1e-12)


@pytest.mark.parametrize("wrong", [None, "now", np.nan, np.inf, -1.0, [[1.0]], 1j])
def test_times_that_are_none_are_refused_in_one_line(wrong):
    with pytest.raises(ValueError, match="times must be") as told:
        theory.free_energy_of_linear(HESSIAN, NOISE, wrong, start_covariance=np.eye(2))
    assert "\n" not in str(told.value)
