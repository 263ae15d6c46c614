import numpy as np
import pytest
import scipy.linalg
from asserts import assert_excluded, assert_within

from sgdphys import SGD, schema, theory

TURN = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
HESSIAN, NOISE = np.diag([2.0, 0.5]), TURN @ np.diag([1.0, 0.1]) @ TURN.T


def test_two_coordinates_with_noise_across_the_axes():
    result = theory.decompose_linear(HESSIAN, NOISE, temperature=0.1, lr=0.01)
    np.testing.assert_allclose(result["stationary_covariance"] / 0.1, [[0.275, 0.36], [0.36, 1.1]], rtol=1e-12)
    np.testing.assert_allclose(result["circulation"] / 0.1, [[0, 0.27], [-0.27, 0]], rtol=1e-12, atol=1e-15)
    U = result["potential_matrix"].values
    np.testing.assert_allclose(U, [[6.362059, -2.082128], [-2.082128, 1.590515]], atol=5e-7)
    assert result["entropy_production_rate"].item() == pytest.approx(1.8225, rel=1e-12)
    assert result["area_rate"].values[0, 1] == pytest.approx(0.027, rel=1e-12)
    assert result["discrete_area_rate"].values[0, 1] == pytest.approx(0.027108, abs=5e-7)
    assert result.attrs["temperature"] == 0.1
    # A x = (C + Q/T) U x
    np.testing.assert_allclose((NOISE + result["circulation"].values / 0.1) @ U, HESSIAN, rtol=1e-12, atol=1e-14)
    for name in result:
        assert name in schema.BY_NAME or name.removeprefix("discrete_") in schema.BY_NAME


@pytest.mark.parametrize(("lr", "rate"), [(0.1, 1.89844), (0.01, 1.82982), (0.001, 1.82323), (1e-8, 1.8225)])
def test_entropy_production_of_the_chain(lr, rate):
    result = theory.decompose_linear(HESSIAN, NOISE, lr=lr)
    assert result["entropy_production_per_step"].item() / lr == pytest.approx(rate, abs=5e-6)


def test_relative_entropy_of_a_step_by_its_two_kernels():
    rng = np.random.default_rng(0)
    A, root = 2 * np.eye(4) + 0.6 * rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
    C, lr, T = root @ root.T, 0.1, 0.3
    result = theory.decompose_linear(A, C, temperature=T, lr=lr)
    S, M = result["discrete_covariance"].values, np.eye(4) - lr * A
    np.testing.assert_allclose(M @ S @ M.T + 2 * lr * T * C, S, rtol=1e-12, atol=1e-14)
    back = S @ M.T @ np.linalg.inv(S)
    kicks, kicks_back = 2 * lr * T * C, S - back @ S @ back.T
    inverse, apart = np.linalg.inv(kicks_back), M - back
    logs = np.linalg.slogdet(kicks_back)[1] - np.linalg.slogdet(kicks)[1]
    divergence = (np.trace(inverse @ kicks) - 4 + np.trace(inverse @ apart @ S @ apart.T) + logs) / 2
    assert result["entropy_production_per_step"].item() == pytest.approx(divergence, rel=1e-9)
    Q, S = result["circulation"].values, result["stationary_covariance"].values
    rate = np.trace(Q.T @ np.linalg.solve(T * C, Q) @ np.linalg.inv(S))
    assert result["entropy_production_rate"].item() == pytest.approx(rate, rel=1e-9)
    assert theory.decompose_linear(A, C)["entropy_production_rate"].item() == pytest.approx(rate, rel=1e-9)


def test_imposing_detailed_balance_gives_no_entropy_production():
    right = theory.decompose_linear(HESSIAN, NOISE, lr=0.1)
    imposed = NOISE @ right["potential_matrix"].values  # the drift without its circulating part
    wrong = theory.decompose_linear(imposed, NOISE, lr=0.1)
    np.testing.assert_allclose(wrong["stationary_covariance"], right["stationary_covariance"], rtol=1e-12)
    assert wrong["entropy_production_rate"].item() == pytest.approx(0, abs=1e-12)
    assert wrong["entropy_production_per_step"].item() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(wrong["circulation"], 0, atol=1e-15)
    commuting = theory.decompose_linear(HESSIAN, 3 * HESSIAN)  # U is then the Hessian over the scale of C
    np.testing.assert_allclose(commuting["potential_matrix"], np.eye(2) / 3, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("rotation", [0.5, 1.0, 2.0])
def test_rotation_in_a_parabola(rotation):
    known = theory.rotating_current(1.0, rotation, 0.5)
    result = theory.decompose_linear([[1.0, rotation], [-rotation, 1.0]], np.eye(2), temperature=0.5, lr=0.1)
    assert 2 * result["area_rate"].values[0, 1] == pytest.approx(known["current_rate"].item())
    assert result["entropy_production_rate"].item() == pytest.approx(known["entropy_production_rate"].item())
    chain = theory.rotating_current(1.0, rotation, 0.5, dt=0.1)
    assert 2 * result["discrete_area_rate"].values[0, 1] == pytest.approx(chain["current_rate"].item())


def test_the_area_that_the_chain_sweeps():
    # 40,000 chains of 100 steps from the stationary state: the equation, detailed balance and a factor 2 are excluded
    lr, n, k = 0.1, 40_000, 100
    result = theory.decompose_linear(HESSIAN, NOISE, temperature=0.1, lr=lr)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2)) @ np.linalg.cholesky(result["discrete_covariance"].values).T
    kick, area = np.linalg.cholesky(0.2 * lr * NOISE).T, np.zeros(n)
    for _ in range(k):
        later = x - lr * x @ HESSIAN + rng.normal(size=(n, 2)) @ kick
        area += (x[:, 0] * later[:, 1] - x[:, 1] * later[:, 0]) / 2
        x = later
    rate, error = area.mean() / (k * lr), area.std() / np.sqrt(n) / (k * lr)
    assert_within(rate, result["discrete_area_rate"].values[0, 1], error)
    assert_excluded(rate, [0.0, 0.027108 / 2], error)


def test_settings_of_sgd():
    sgd = SGD(lr=0.1, batch_size=5, sampling="without", n_samples=20)
    result = theory.decompose_linear(HESSIAN, NOISE, sgd=sgd)
    same = theory.decompose_linear(HESSIAN, NOISE, temperature=0.01 * 15 / 19, lr=0.1)
    for name in same:
        np.testing.assert_allclose(result[name], same[name], rtol=1e-12, atol=1e-16)
    exact = theory.stationary_covariance(HESSIAN, NOISE, sgd)["stationary_covariance"]
    np.testing.assert_allclose(result["discrete_covariance"], exact, rtol=1e-12)


def test_noise_that_is_missing_in_some_directions():
    # one direction of noise, no common eigenvectors: the motion is never seen reversed
    result = theory.decompose_linear(HESSIAN, np.ones((2, 2)), lr=0.1)
    assert result["noise_rank"].item() == 1 and result["covariance_rank"].item() == 2
    assert result["entropy_production_rate"].item() == result["entropy_production_per_step"].item() == np.inf
    assert np.all(np.isfinite(result["potential_matrix"]))
    # a direction that the noise never reaches, beside a rotation
    A = scipy.linalg.block_diag([[1.0, -2.0], [2.0, 1.0]], 3.0)
    result = theory.decompose_linear(A, np.diag([1.0, 1.0, 0.0]), lr=0.05)
    alone = theory.decompose_linear(A[:2, :2], np.eye(2), lr=0.05)
    assert result["covariance_rank"].item() == 2
    for name in ("entropy_production_rate", "entropy_production_per_step"):
        assert result[name].item() == pytest.approx(alone[name].item(), rel=1e-12)
    np.testing.assert_allclose(result["current_matrix"].values[:2, :2], alone["current_matrix"], rtol=1e-12)
    assert np.all(np.isnan(result["potential_matrix"]))
    assert theory.decompose_linear(HESSIAN, np.diag([1.0, 0.0]))["entropy_production_rate"].item() == 0


def test_units_of_the_coordinates_and_weak_noise_do_not_matter():
    units = np.diag([1e-5, 1e5])
    result = theory.decompose_linear(units @ HESSIAN @ np.linalg.inv(units), units @ NOISE @ units, lr=0.1)
    assert result["covariance_rank"].item() == result["noise_rank"].item() == 2
    assert result["entropy_production_rate"].item() == pytest.approx(1.8225, rel=1e-9)
    assert result["entropy_production_per_step"].item() == pytest.approx(0.189844, abs=5e-7)
    # 50 coordinates, noise from 1 to 1e-8: entropy production as tr(A' C^-1 A S) - tr A
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 50)))[0]
    A, C = np.diag(np.logspace(-3, 0, 50)), turn @ np.diag(np.logspace(-8, 0, 50)) @ turn.T
    result = theory.decompose_linear(A, C)
    S = result["stationary_covariance"].values
    expected = np.trace(A.T @ np.linalg.solve(C, A) @ S) - np.trace(A)
    assert result["entropy_production_rate"].item() == pytest.approx(expected, rel=1e-6)
    # the same directions for curvature and noise, 30 of them without noise
    noise = np.where(np.arange(50) < 20, np.linspace(1, 2, 50), 0.0)
    result = theory.decompose_linear(turn @ A @ turn.T, turn @ np.diag(noise) @ turn.T, lr=0.1)
    assert result["covariance_rank"].item() == result["noise_rank"].item() == 20
    assert result["entropy_production_rate"].item() == pytest.approx(0, abs=1e-9)
    assert result["entropy_production_per_step"].item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([[1.0, 0], [0, -0.3]], np.eye(2)), {}, r"has the eigenvalue -0\.3; a stationary state needs"),
        (([[0.0, 1], [-1, 0]], np.eye(2)), {}, "has the eigenvalue 0[+-]1i"),
        ((HESSIAN, np.eye(3)), {}, "must have the same shape"),
        ((np.ones((2, 3)), np.eye(2)), {}, "hessian must be a finite square matrix"),
        ((HESSIAN, [[1.0, 0.5], [0, 1]]), {}, "covariance must be symmetric"),
        ((HESSIAN, -np.eye(2)), {}, "covariance must be positive semi-definite"),
        ((HESSIAN, np.zeros((2, 2))), {}, "not 0"),
        ((HESSIAN, NOISE), {"temperature": 0.0}, "temperature must be positive"),
        ((HESSIAN, NOISE), {"lr": 1.5}, r"does not settle at lr=1\.5: A has the eigenvalue 2; use lr below 1$"),
        ((HESSIAN, NOISE), {"lr": -1}, "lr must be positive"),
        ((HESSIAN, NOISE), {"sgd": SGD(0.1, 1), "temperature": 1}, "temperature= or sgd=, not both"),
        ((HESSIAN, NOISE), {"sgd": SGD(0.1, 1), "lr": 1}, "lr= or sgd=, not both"),
        ((HESSIAN, NOISE), {"sgd": SGD(0.1, 1, momentum=0.5)}, r"temperature=0\.1 \(sgd\.effective_temperature\)"),
        ((HESSIAN, NOISE), {"sgd": SGD(0.1, 1, sampling="shuffle", n_samples=2)}, "no effective temperature"),
        ((HESSIAN, NOISE), {"sgd": SGD(0.1, 2, sampling="without", n_samples=2)}, "temperature is 0"),
    ],
)
def test_what_has_no_stationary_state_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        theory.decompose_linear(*arguments, **options)


def test_the_current_is_what_drift_and_diffusion_leave():
    """J/p = -A x - T C grad ln p = (T C S^-1 - A) x, and its sense is that of the rotation."""
    A = np.array([[1.0, 0.9, 0.0], [-0.3, 0.6, 0.2], [0.1, 0.0, 2.0]])
    C = np.diag([1.0, 0.3, 2.0])
    result = theory.decompose_linear(A, C, temperature=0.2)
    S = result["stationary_covariance"].values
    np.testing.assert_allclose(result["current_matrix"], 0.2 * C @ np.linalg.inv(S) - A, rtol=1e-9, atol=1e-12)
    turning = theory.decompose_linear([[1.0, 2.0], [-2.0, 1.0]], np.eye(2))["current_matrix"].values
    np.testing.assert_allclose(turning, [[0, -2.0], [2.0, 0]], atol=1e-12)  # dx = -2 y, dy = 2 x: counterclockwise


def test_the_largest_step_of_a_rotation_is_shorter_than_that_of_its_size():
    turning = [[1.0, 2.0], [-2.0, 1.0]]
    assert theory.decompose_linear(turning, np.eye(2), lr=0.39)["entropy_production_per_step"] > 0
    with pytest.raises(
        ValueError, match=r"does not settle at lr=0\.5: A has the eigenvalue 1[+-]2i; use lr below 0\.4"
    ):
        theory.decompose_linear(turning, np.eye(2), lr=0.5)


def test_noise_of_very_different_strengths_in_coordinates_that_turn_into_each_other():
    """dx = -(x + y), dy = x - y with noise 1e-8 and 1e8: by hand from A S + S A' = 2 C."""
    result = theory.decompose_linear([[1.0, 1.0], [-1.0, 1.0]], np.diag([1e-8, 1e8]), lr=0.1)
    expected = 2.5e7 * np.array([[1.0, -1.0], [-1.0, 3.0]])
    np.testing.assert_allclose(result["stationary_covariance"], expected, rtol=1e-9)
    S, M = result["discrete_covariance"].values, np.eye(2) - 0.1 * np.array([[1.0, 1.0], [-1.0, 1.0]])
    np.testing.assert_allclose(M @ S @ M.T + 0.2 * np.diag([1e-8, 1e8]), S, rtol=1e-9)
    scaled = np.diag([1e-6, 1e6])
    units = theory.decompose_linear(scaled @ [[1, 1], [-1, 1]] @ np.linalg.inv(scaled), scaled @ scaled)
    assert units["entropy_production_rate"].item() == pytest.approx(2.0, rel=1e-9)


@pytest.mark.parametrize("matrix", [None, "a", 1.0, [1.0, 2.0], [[1.0], [1.0, 2.0]], np.eye(2) * 1j, np.zeros((0, 0))])
def test_what_is_no_matrix_is_refused_in_one_line(matrix):
    for arguments in ((matrix, NOISE), (HESSIAN, matrix)):
        with pytest.raises(ValueError, match=r"hessian|covariance") as told:
            theory.decompose_linear(*arguments)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0, 0.0, "warm", [1.0], 1j, True])
def test_temperatures_and_steps_that_are_none_are_refused(wrong):
    for name in ("temperature", "lr"):
        with pytest.raises(ValueError, match=f"{name} must be positive"):
            theory.decompose_linear(HESSIAN, NOISE, **{name: wrong})
    with pytest.raises(ValueError, match="lr=1e-300 is too small"):
        theory.decompose_linear(HESSIAN, NOISE, lr=1e-300)
