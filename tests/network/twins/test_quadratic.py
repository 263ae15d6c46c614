import numpy as np
import pytest
import torch
from asserts import assert_within

import sgdphys as sp
from sgdphys import SGD, theory


def test_the_twin_holds_curvature_and_noise_in_the_leading_directions(digits):
    landscape, noise = digits.twin(20)
    V = landscape.basis
    hessian, covariance = digits.curvature().dense(), digits.noise().dense()
    np.testing.assert_allclose(landscape.matrix, V.T @ hessian @ V, atol=1e-8)
    np.testing.assert_allclose(noise.diffusion(np.zeros((1, 20)))[0], V.T @ covariance @ V, atol=1e-10)
    np.testing.assert_allclose(np.diag(landscape.matrix), np.linalg.eigvalsh(hessian)[::-1][:20], rtol=1e-8)
    assert landscape.constant == digits.loss_value and np.array_equal(landscape.origin, digits.parameters)


def test_the_twin_is_the_loss_along_its_directions(digits):
    # to second order: the remainder falls by eight when the displacement halves
    landscape = digits.twin(5).landscape
    y = 0.1 * np.random.default_rng(0).normal(size=(4, 5))
    errors = []
    for size in (1.0, 0.5):
        x = landscape.origin + size * y @ landscape.basis.T
        errors.append(np.abs(digits.potential(x) - landscape.potential(size * y)))
    assert np.all(errors[0] < 0.1 * (digits.potential(landscape.origin + y @ landscape.basis.T) - digits.loss_value))
    assert np.median(np.log2(errors[0] / errors[1])) == pytest.approx(3, abs=0.3)


def test_hessian_directions_close_on_themselves_and_noise_directions_do_not(digits):
    # the twin's variance over that of the whole quadratic network in the same 20 directions
    sgd = SGD(0.2, 128)
    hessian, covariance = digits.curvature().dense(), digits.noise().dense()
    S = theory.stationary_covariance(hessian, covariance, sgd)["stationary_covariance"].values
    shares = []
    for matrix in (hessian, covariance):
        V = np.linalg.eigh(matrix)[1][:, ::-1][:, :20]
        reduced = theory.stationary_covariance(V.T @ hessian @ V, V.T @ covariance @ V, sgd)
        shares.append(np.trace(reduced["stationary_covariance"].values) / np.trace(V.T @ S @ V))
    assert shares[0] == pytest.approx(1, abs=1e-8)
    assert shares[1] < 0.9


def test_the_simulated_twin_has_the_exact_discrete_covariance(digits):
    landscape, noise = digits.twin(20)
    sgd = SGD(0.2, 128)
    exact = theory.stationary_covariance(landscape.matrix, noise.diffusion(np.zeros((1, 20)))[0], sgd)
    predicted = np.diag(exact["stationary_covariance"])
    cloud = sp.simulate(landscape, noise, sgd=sgd, n_steps=500, n_particles=10_000, save_at=[100.0])
    variance = cloud["position"].values[-1].var(axis=0)
    assert_within(variance, predicted, predicted * (2 / 10_000) ** 0.5)


def test_away_from_a_minimum_it_says_so(perceptron):
    with pytest.warns(RuntimeWarning, match=r"the network is not at a minimum: .*call minimum\(\) first"):
        perceptron.twin(3)


def test_a_linear_network_has_its_repeated_curvatures():
    # two outputs share one design matrix: every eigenvalue comes twice, and the twin needs both
    rng = np.random.default_rng(0)
    data = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    network = sp.Network(torch.nn.Linear(3, 2, bias=False), torch.nn.MSELoss(), data).minimum()
    expected = np.repeat(np.linalg.eigvalsh(data[0].T @ data[0] / 40)[::-1], 2)
    np.testing.assert_allclose(np.diag(network.twin(4).landscape.matrix), expected[:4], rtol=1e-8)


def test_what_is_measured_is_shown_in_one_line(digits):
    assert repr(digits).startswith(f"Network(Sequential, d={digits.dim}, N={digits.n_samples}, loss 0.")
    assert repr(digits.noise()) == f"GradientNoise(d={digits.dim}, N={digits.n_samples})"
    assert repr(digits.curvature()) == f"Curvature(d={digits.dim}, N={digits.n_samples})"
    twin = digits.twin(2)
    first, second = np.diag(twin.landscape.matrix)
    assert repr(twin) == f"Twin(rank 2, eigenvalues {first:.3g} ... {second:.3g})"


@pytest.mark.parametrize("rank", [0, 32, 2.5])
def test_a_rank_that_is_none_is_refused(perceptron, rank):
    with pytest.raises(ValueError, match="rank must"):
        perceptron.twin(rank)
