import numpy as np
import pytest

from sgdphys import SGD, theory


@pytest.mark.parametrize(("h", "angle"), [(0.1, 0.0499513), (1.0, 0.2239150), (4.0, 0.4601663)])
def test_angle_and_damping_of_the_heavy_ball(h, angle):
    result = theory.relaxation_spectrum([[h]], SGD(0.05, 1, momentum=0.9))
    np.testing.assert_allclose(result["angle_per_step"], [[angle, angle]], rtol=1e-6)
    np.testing.assert_allclose(result["damping_per_step"], 0.9**0.5, rtol=1e-12)
    np.testing.assert_allclose(result["relaxation_rate"], -np.log(0.9) / 2 / 0.05, rtol=1e-12)


def test_the_mean_oscillates_beyond_the_critical_stiffness():
    critical = (1 - 0.9**0.5) ** 2 / 0.05
    assert 0.05 * critical == pytest.approx(0.0026334, abs=5e-8)
    below, above = (
        theory.relaxation_spectrum([[factor * critical]], SGD(0.05, 1, momentum=0.9)) for factor in (0.999, 1.001)
    )
    assert np.all(below["angle_per_step"] == 0)
    assert np.all(above["angle_per_step"] > 0)


def test_plain_sgd_has_one_real_root_a_mode():
    result = theory.relaxation_spectrum(np.diag([0.5, 15.0, 25.0]), SGD(0.1, 1))
    np.testing.assert_array_equal(result["eigenvalue"], [25.0, 15.0, 0.5])
    np.testing.assert_allclose(result["step_eigenvalue"][:, 0], [-1.5, -0.5, 0.95])
    np.testing.assert_allclose(result["relaxation_rate"][:, 0], -np.log([1.5, 0.5, 0.95]) / 0.1)
    np.testing.assert_allclose(result["angle_per_step"][:, 0], [np.pi, np.pi, 0])
    assert np.all(result["relaxation_rate"][:, 1] == np.inf)
    assert result["spectral_radius"].item() == pytest.approx(1.5)


@pytest.mark.parametrize("form", [{}, {"dampening": 0.3}, {"nesterov": True}])
def test_slow_modes_relax_at_the_continuous_rate(form):
    result = theory.relaxation_spectrum([[1.0]], SGD(1e-5, 1, momentum=0.5, **form))
    assert result["relaxation_rate"].values[0, 0] == pytest.approx(result["continuous_rate"].item(), rel=1e-4)
    assert result["continuous_rate"].item() == pytest.approx((1 - form.get("dampening", 0)) / 0.5)


def test_the_mean_of_nesterov_follows_its_roots():
    # started along the slow eigenvector nothing else is seen: x_k = z^k x_0
    sgd = SGD(0.2, 1, momentum=0.5, nesterov=True)
    z = theory.relaxation_spectrum([[0.1]], sgd)["step_eigenvalue"].values[0, 0].real
    x, v = 1.0, (z - 1 + 0.2 * 0.1 * 1.5) / (-0.2 * 0.25)
    for _ in range(20):
        g = 0.1 * x
        v = 0.5 * v + g
        x -= 0.2 * (g + 0.5 * v)
    assert x == pytest.approx(z**20, rel=1e-10)


@pytest.mark.parametrize(
    ("sgd", "limit"),
    [
        (SGD(0.1, 1), 0.5),
        (SGD(0.1, 1, momentum=0.5), 0.75),
        (SGD(0.1, 1, momentum=0.5, dampening=0.25), 1.0),
        (SGD(0.1, 1, momentum=0.5, nesterov=True), 0.375),
    ],
)
def test_the_largest_lr_has_spectral_radius_one(sgd, limit):
    result = theory.stability_limit(np.diag([4.0, 1.0]), sgd)["largest_lr"].item()
    assert result == pytest.approx(limit, rel=1e-14)
    at_limit = SGD(result, 1, momentum=sgd.momentum, dampening=sgd.dampening, nesterov=sgd.nesterov)
    assert theory.relaxation_spectrum(np.diag([4.0, 1.0]), at_limit)["spectral_radius"].item() == pytest.approx(1)


@pytest.mark.parametrize(("batch_size", "limit"), [(1, 2 / 3), (2, 1.0)])
def test_gaussian_features_have_finite_variance_up_to_the_known_lr(batch_size, limit):
    result = theory.stability_limit([[1.0]], SGD(0.1, batch_size), inputs="gaussian")
    assert result["largest_lr_of_finite_variance"].item() == pytest.approx(limit, rel=1e-9)
    assert result["largest_lr"].item() == 2


def test_features_without_spread_are_limited_by_the_mean_alone():
    # 1-D, all inputs +-1: C does not depend on the position, K = 0
    result = theory.stability_limit([[1.0]], SGD(0.1, 1), inputs=[1.0, -1.0, 1.0])
    assert result["largest_lr_of_finite_variance"].item() == result["largest_lr"].item() == 2


def test_momentum_and_distinct_samples_in_the_limit_of_finite_variance():
    inputs = np.random.default_rng(0).normal(size=(12, 2))
    H = inputs.T @ inputs / 12
    sgd = SGD(0.1, 3, momentum=0.4, sampling="without", n_samples=12)
    limit = theory.stability_limit(H, sgd, inputs=inputs)["largest_lr_of_finite_variance"].item()
    inside = SGD(0.9999 * limit, 3, momentum=0.4, sampling="without", n_samples=12)
    result = theory.stationary_covariance(H, H, inside, "minibatch", inputs=inputs)
    assert 0.999 < result["second_moment_radius"].item() < 1


def test_a_hessian_without_a_minimum_has_no_limit():
    with pytest.raises(ValueError, match="smallest eigenvalue of the Hessian is -1"):
        theory.stability_limit(np.diag([1.0, -1.0]), SGD(0.1, 1))
    with pytest.raises(ValueError, match="finite square matrix"):
        theory.relaxation_spectrum([1.0, 2.0], SGD(0.1, 1))


def test_anomalous_diffusion_of_many_slow_modes():
    # h_i = i^-2, 20,000 modes, equal variances T: local exponents .5083 and .5018, in the limit 1/2
    T, times = 0.3, np.array([1e2, 1e3, 1e4])
    displacement = theory.stationary_displacement(np.arange(1, 20_001) ** -2.0, T, times)
    exponents = np.diff(np.log10(displacement.values))
    np.testing.assert_allclose(exponents, [0.5083, 0.5018], atol=6e-5)
    np.testing.assert_allclose(displacement[-1], 2 * T * np.pi**0.5 * 100, rtol=0.01)


def test_the_displacement_of_one_mode_and_what_it_refuses():
    np.testing.assert_allclose(theory.stationary_displacement(2.0, 0.5, [0.0, 0.3]), [0, 1 - np.exp(-0.6)])
    with pytest.raises(ValueError, match="curvatures must be finite and not negative"):
        theory.stationary_displacement([1.0, -1.0], 1.0, [1.0])
