import numpy as np
import pytest
import torch
import xarray as xr
from naive_networks import loop_over_samples
from network_models import network_with

from sgdphys.network.noise import per_sample


def naive_covariance(network):
    """Return the population covariance of the per-sample gradients, one backward pass a sample."""
    data = network.objective
    gradients = []
    for i in range(network.n_samples):
        point = torch.tensor(network.parameters, requires_grad=True)
        (gradient,) = torch.autograd.grad(data.sample_losses(point, slice(i, i + 1)).sum(), point)
        gradients.append(gradient.numpy())
    centred = np.array(gradients) - np.mean(gradients, axis=0)
    return centred.T @ centred / len(centred)


@pytest.fixture(params=["more samples than parameters", "fewer"])
def noise(request, perceptron):
    if request.param == "fewer":
        return network_with("convolution").noise()  # 12 samples, 38 parameters
    return perceptron.noise()


def test_digits_covariance_equals_a_naive_loop(digits):
    np.testing.assert_allclose(digits.noise().dense(), naive_covariance(digits), rtol=1e-5, atol=1e-12)


def test_digits_noise_is_that_of_the_calibrated_network(digits):
    eigenvalues = digits.noise().spectrum()["eigenvalue"].values
    assert digits.noise().trace() == pytest.approx(3.47, rel=0.05)  # the minimum depends on the starting weights
    assert eigenvalues.sum() ** 2 / (eigenvalues**2).sum() == pytest.approx(10.9, rel=0.05)


def test_it_is_centred_away_from_a_minimum(perceptron):
    far = perceptron.at(perceptron.parameters + 2)
    exact = naive_covariance(far)
    np.testing.assert_allclose(far.noise().dense(), exact, rtol=1e-10, atol=1e-14)
    g = far.gradient() - far.weight_decay * far.parameters
    assert np.linalg.norm(np.outer(g, g)) > 0.1 * np.linalg.norm(exact)  # so the uncentred one would be seen


def test_products_do_not_form_the_matrix(noise):
    exact, rng = noise.dense(), np.random.default_rng(0)
    V = rng.normal(size=(noise.dim, 4))
    np.testing.assert_allclose(noise.matvec(V[:, 0]), exact @ V[:, 0], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(noise.matvec(V), exact @ V, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(noise.project(V), V.T @ exact @ V, rtol=1e-9, atol=1e-13)
    assert isinstance(noise.project(torch.tensor(V)), torch.Tensor)


def test_the_gram_matrix_has_the_same_spectrum(noise):
    exact = np.linalg.eigvalsh(noise.dense())[::-1]
    count = min(noise.n_samples - 1, noise.dim)
    np.testing.assert_allclose(noise.spectrum()["eigenvalue"], exact[:count], rtol=1e-9, atol=1e-13)
    gram = np.linalg.eigvalsh(noise.gram())[::-1] / noise.n_samples
    np.testing.assert_allclose(gram[:count], exact[:count], rtol=1e-9, atol=1e-13)
    assert noise.trace() == pytest.approx(exact.sum(), rel=1e-12)


def test_the_low_rank_factor_is_the_best_of_its_rank(noise):
    exact, eigenvalues = noise.dense(), noise.spectrum()["eigenvalue"].values
    factor = noise.low_rank(5)
    assert factor.shape == (noise.dim, 5)
    assert np.linalg.norm(exact - factor @ factor.T, 2) == pytest.approx(eigenvalues[5], rel=1e-8)


def test_results_do_not_depend_on_the_pieces(perceptron, monkeypatch):
    whole = perceptron.noise()
    expected = whole.dense(), whole.gram(), whole.matvec(np.arange(31.0))
    monkeypatch.setattr("sgdphys.network.objective.WORKING_BYTES", 5000)
    pieces = perceptron.noise()
    assert len(per_sample.gradient_rows(pieces.objective)) > 2
    for a, b in zip(expected, (pieces.dense(), pieces.gram(), pieces.matvec(np.arange(31.0))), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("k", [0, 31, 32])
def test_a_rank_out_of_range_is_refused(perceptron, k):
    with pytest.raises(ValueError, match=rf"k must lie between 1 and min\(n_samples, dim\) = 30, got {k}"):
        perceptron.noise().low_rank(k)


@pytest.mark.parametrize("k", [1.5, "a", True])
def test_a_rank_that_is_no_whole_number_is_refused(perceptron, k):
    with pytest.raises(ValueError, match=f"k must be an integer, not negative, got {k}"):
        perceptron.noise().low_rank(k)


def test_a_factor_of_as_many_columns_as_samples_is_the_whole_covariance():
    noise = network_with("convolution").noise()
    assert noise.n_samples < noise.dim
    np.testing.assert_allclose(noise.low_rank(12) @ noise.low_rank(12).T, noise.dense(), rtol=1e-8, atol=1e-13)


@pytest.fixture
def tail_draws(perceptron, monkeypatch):
    """Return what gives the minibatches that the tail index is taken from, and its options."""
    kept = {}

    def keep(draws, **options):
        kept.update(options, draws=draws)
        return xr.Dataset()

    def ask(**options):
        perceptron.noise().tail(**options)
        return dict(kept)

    monkeypatch.setattr("sgdphys.network.noise.gradient_noise.tail_index", keep)
    return ask


@pytest.fixture
def centred(perceptron):
    """Return the centred gradients (30, 31)."""
    gradients = loop_over_samples(perceptron)
    return gradients - gradients.mean(axis=0)


def nearest(draws, values):
    """Return the distance of each draw from the nearest of some values."""
    return np.abs(draws[:, None] - values).max(axis=2).min(axis=1)


def test_minibatches_are_means_of_samples_drawn_with_replacement(tail_draws, centred):
    one = tail_draws(n_draws=200, directions=np.eye(31)[:, :3], seed=5, n_null=7)
    assert (one["seed"], one["n_null"]) == (5, 7)
    assert nearest(one["draws"], centred[:, :3]).max() < 1e-12
    assert len(np.unique(one["draws"][:, 0].round(9))) > 25
    two = tail_draws(n_draws=200, directions=np.eye(31)[:, :3], batch_size=2)["draws"]
    pairs = (centred[:, None, :3] + centred[:, :3]).reshape(-1, 3) / 2
    assert nearest(two, pairs).max() < 1e-12
    assert np.sum(nearest(two, centred[:, :3]) < 1e-12) < 40  # of 200 about 7 are twice the same sample
    other = tail_draws(n_draws=200, directions=np.eye(31)[:, :3], seed=6)["draws"]
    assert not np.array_equal(one["draws"], other)


def test_directions_of_the_noise_are_its_eigenvectors_of_length_one(tail_draws, centred, perceptron):
    vectors = np.linalg.eigh(perceptron.noise().dense())[1][:, :-4:-1]
    draws = tail_draws(n_draws=200, k=3)["draws"]
    assert nearest(np.abs(draws), np.abs(centred @ vectors)).max() < 1e-10


def test_random_directions_have_length_one_on_average(tail_draws, centred):
    draws = tail_draws(n_draws=2000, directions="random", k=400)["draws"]
    assert draws.shape == (2000, 400)
    assert np.mean(draws**2) == pytest.approx(np.mean(centred**2), rel=0.3)  # not scaled, 31 times that
    few = [tail_draws(n_draws=50, directions="random", k=2, seed=seed)["draws"] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(few[0], few[1])
    ratios = [draws[:, 0] / draws[:, 1] for draws in few]
    assert nearest(ratios[0][:, None], ratios[2][:, None]).min() > 1e-9  # other directions, not other samples alone
