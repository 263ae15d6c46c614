import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within

from sgdphys.network.curvature.alignment import _Forms, _numbers
from sgdphys.network.curvature.symmetric_operator import GivenOperator


def given(matrix):
    tensor = torch.tensor(np.asarray(matrix, float))
    return GivenOperator(lambda V: tensor @ V, torch.zeros(len(tensor), dtype=torch.float64))


SHARP = np.diag([100.0] + 9 * [1.0])


@pytest.mark.parametrize("n_probes", [None, 10, 6])
def test_noise_that_is_the_curvature_of_one_sharp_direction(n_probes):
    found = given(SHARP).alignment(given(SHARP), k=1, n_probes=n_probes)
    assert float(found["escape_ratio"]) == pytest.approx(10 * 10009 / 109**2, rel=1e-9)  # 8.4244
    assert float(found["escape_indicator"]) == pytest.approx(10009, rel=1e-9)
    assert float(found["alignment_cosine"]) == pytest.approx(1, rel=1e-9)
    assert float(found["noise_share"][0]) == pytest.approx(100 / 109, rel=1e-9)
    assert float(found["noise_curvature_ratio"][0]) == pytest.approx(1, rel=1e-9)
    assert float(found["principal_cosine"][0]) == pytest.approx(1, rel=1e-9)


def test_isotropic_noise_has_escape_ratio_one():
    found = given(SHARP).alignment(given(0.3 * np.eye(10)), k=2, n_probes=None)
    assert float(found["escape_ratio"]) == pytest.approx(1, rel=1e-12)
    assert float(found["alignment_cosine"]) == pytest.approx(109 / np.sqrt(10009 * 10), rel=1e-12)


def test_probes_agree_with_dense_matrices(digits):
    curvature, noise = digits.curvature(), digits.noise()
    H, C = curvature.dense(), noise.dense()
    found = curvature.alignment(noise, k=5, n_probes=60, seed=1)
    escape = np.sum(H * C)
    exact = {
        "curvature_trace": np.trace(H),
        "gradient_noise_trace": np.trace(C),
        "escape_indicator": escape,
        "escape_ratio": digits.dim * escape / np.trace(H) / np.trace(C),
        "alignment_cosine": escape / np.linalg.norm(H) / np.linalg.norm(C),
    }
    for name, value in exact.items():
        assert_within(found[name], value, found[f"{name}_standard_error"])
    error = float(found["escape_indicator_standard_error"])
    assert 0 < error < 0.05 * escape
    assert_excluded(found["escape_indicator"], np.trace(H) * np.trace(C) / digits.dim, error)  # isotropic noise
    V = curvature.top(5)["eigenvector"].values
    np.testing.assert_allclose(np.abs(found["projected_noise"]), np.abs(V.T @ C @ V), rtol=1e-5, atol=1e-9)
    U = np.linalg.eigh(C)[1][:, -5:]
    cosines = np.linalg.svd(V.T @ U, compute_uv=False)
    np.testing.assert_allclose(found["principal_cosine"], cosines, atol=1e-5)


def test_errors_of_the_probes_are_honest():
    rng = np.random.default_rng(0)
    A, B = (np.cov(rng.normal(size=(30, 60)) * np.linspace(1, 3, 30)[:, None]) for _ in range(2))
    exact = np.sum(A * B) / np.linalg.norm(A) / np.linalg.norm(B)
    found = [given(A).alignment(given(B), k=3, n_probes=25, seed=seed) for seed in range(100)]
    values = np.array([float(one["alignment_cosine"]) for one in found])
    errors = np.array([float(one["alignment_cosine_standard_error"]) for one in found])
    # the cosine is a ratio of averages: at 25 probes its bias is far below the error of 100 of them
    assert_within(values.mean(), exact, values.std(ddof=1) / 10)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(ddof=1), rel=0.3)
    assert 0.85 < np.mean(np.abs(values - exact) < 2 * errors) <= 0.99


def test_the_jackknife_of_a_mean_is_its_standard_error():
    probed = np.random.default_rng(0).normal(size=(5, 7)) + 10
    numbers, errors = _numbers(_Forms(np.arange(5.0), probed), dim=3)
    np.testing.assert_allclose(numbers[:3], np.arange(3) + probed[:3].mean(axis=1), rtol=1e-13)
    np.testing.assert_allclose(errors[:3], probed[:3].std(axis=1, ddof=1) / 7**0.5, rtol=1e-12)


def test_other_parameters_are_refused(perceptron):
    with pytest.raises(ValueError, match="the noise has 31 parameters, the Hessian 15; take the same of both"):
        perceptron.curvature(params="2.*").alignment(perceptron.noise())
