from dataclasses import replace

import numpy as np
import pytest
import torch
from naive_networks import loop_over_samples

from sgdphys.network import Network


def test_a_subset_estimates_the_whole_data_set_without_bias(perceptron):
    gradients = loop_over_samples(perceptron)
    exact = np.cov(gradients.T, bias=True)
    subsets = [perceptron.noise(n_samples=5, seed=seed) for seed in range(200)]
    traces = np.array([noise.trace() for noise in subsets])
    error = traces.std(ddof=1) / np.sqrt(len(traces))
    assert abs(traces.mean() - np.trace(exact)) < 4 * error
    assert abs(traces.mean() * 4 / 5 * 30 / 29 - np.trace(exact)) > 5 * error  # the covariance of the subset alone
    one, v = subsets[0], np.random.default_rng(0).normal(size=31)
    np.testing.assert_allclose(one.matvec(v), one.dense() @ v, rtol=1e-10)
    np.testing.assert_allclose(one.spectrum()["eigenvalue"].sum(), one.trace(), rtol=1e-10)
    np.testing.assert_allclose(one.low_rank(4) @ one.low_rank(4).T, one.dense(), rtol=1e-8, atol=1e-12)
    V = np.random.default_rng(1).normal(size=(31, 3))
    np.testing.assert_allclose(one.project(V), V.T @ one.dense() @ V, rtol=1e-9)
    np.testing.assert_allclose(one.diagonal(), np.diag(one.dense()), rtol=1e-9, atol=1e-14)
    by_layer = one.spectrum(by="layer")["eigenvalue"].sum(dim="mode")
    np.testing.assert_allclose(by_layer, one.trace(by="layer")["layer_trace"], rtol=1e-9)
    assert repr(one) == "GradientNoise(d=31, N=5 of 30)"


def test_no_sample_is_drawn_twice_into_a_subset(perceptron):
    assert len(perceptron.noise(n_samples=28).objective.inputs.unique(dim=0)) == 28


def test_params_take_rows_and_columns(perceptron):
    whole, part = perceptron.noise(), perceptron.noise(params="2.*")
    rows, v = slice(16, 31), np.random.default_rng(0).normal(size=(15, 2))
    exact = whole.dense()[rows, rows]
    np.testing.assert_allclose(part.dense(), exact, atol=1e-14)
    np.testing.assert_allclose(part.matvec(v), exact @ v, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(part.project(v), v.T @ exact @ v, rtol=1e-9)
    np.testing.assert_allclose(part.diagonal(), np.diag(exact), rtol=1e-9)
    np.testing.assert_allclose(part.low_rank(15) @ part.low_rank(15).T, exact, atol=1e-12)
    np.testing.assert_allclose(np.trace(part.gram()) / 30, np.trace(exact), rtol=1e-10)
    assert part.to_scipy().shape == (15, 15)


def test_layers_add_up(perceptron):
    noise = perceptron.noise()
    exact, spectrum = noise.dense(), noise.spectrum(by="layer")["eigenvalue"]
    traces = noise.trace(by="layer")["layer_trace"]
    assert float(traces.sum()) == pytest.approx(noise.trace(), rel=1e-12)
    for layer, rows in perceptron.layers.items():
        values = np.linalg.eigvalsh(exact[rows, rows])[::-1]
        np.testing.assert_allclose(spectrum.sel(layer=layer).values[: len(values)], values, rtol=1e-8, atol=1e-14)
        assert float(traces.sel(layer=layer)) == pytest.approx(values.sum(), rel=1e-10)
    assert np.isnan(spectrum.sel(layer="2").values[15:]).all()


def mixing(output, target):
    """Return losses that see the other samples, but only where there are more than eight."""
    own = (output - output.mean(dim=0) if len(output) > 8 else output)[:, 0] - target
    return own**2


def test_a_loss_that_mixes_its_samples_is_found_out():
    rng = np.random.default_rng(0)
    network = Network(torch.nn.Linear(3, 1), mixing, (rng.normal(size=(20, 3)), rng.normal(size=20)))
    with pytest.raises(ValueError, match=r"mixes the samples.*unit='batch'"):
        network.check()


def test_a_loss_that_mixes_its_samples_a_little_is_found_out_and_by_how_much():
    rng = np.random.default_rng(0)

    def little(output, target):
        return (output[:, 0] - target - (1e-5 * output.mean() if len(output) > 8 else 0)) ** 2

    network = Network(torch.nn.Linear(3, 1), little, (rng.normal(size=(20, 3)), rng.normal(size=20)))
    own, shift = loop_over_samples(network), network.gradient()
    size = np.linalg.norm(own.mean(axis=0) - shift) / np.sqrt(np.mean(np.sum(own**2, axis=1)))
    with pytest.raises(ValueError, match=rf"from the gradient of their batch by {size:.2g} of a sample's"):
        network.check()
    with pytest.raises(ValueError, match="do not add up to the gradient of the batch"):
        replace(network.noise()._maker, by_layers=False).matrices([network.objective.model.names])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "epoch"}, "unit must be 'sample' or 'batch', got 'epoch'"),
        ({"batch_size": 4}, "batch_size does not go with unit='sample'"),
        ({"unit": "batch", "n_samples": 4}, "n_samples does not go with unit='batch'"),
        ({"n_samples": 31}, "n_samples must lie between 2 and 30, got 31"),
        ({"params": "7.*"}, "fits none of the parameters"),
        ({"params": 3}, "params must be a pattern of names, several, or None for all, got 3"),
        ({"params": ()}, r"params must be a pattern of names, several, or None for all, got \(\)"),
        ({"params": ("2.*", 3)}, "params must be a pattern of names, several, or None for all"),
        ({"n_samples": 5, "seed": -1}, "seed must be an integer, not negative, got -1"),
        ({"unit": "batch", "seed": -1}, "seed must be an integer, not negative, got -1"),
        ({"route": "backward"}, "route must be one of 'forward', 'double', 'loop' or None"),
        ({"max_memory": "much"}, "max_memory must be a positive number of bytes"),
    ],
)
def test_wrong_options_are_refused(perceptron, options, message):
    with pytest.raises(ValueError, match=message):
        perceptron.noise(**options)


@pytest.mark.parametrize("shape", [(30,), (31, 2, 2), (30, 2), (31, 0)])
def test_directions_of_another_shape_are_refused(perceptron, shape):
    noise = perceptron.noise()
    for ask in (noise.matvec, noise.project, noise.along, lambda V: noise.tail(directions=V)):
        with pytest.raises(ValueError, match=r"directions must have shape .*\(31, k\), got"):
            ask(np.ones(shape))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_directions_that_are_not_finite_are_refused(perceptron, number):
    noise, wrong = perceptron.noise(), np.ones((31, 2))
    wrong[3, 1] = number
    for ask in (noise.matvec, noise.project, noise.along, lambda V: noise.tail(directions=V)):
        with pytest.raises(ValueError, match="directions must be finite, got NaN or infinity"):
            ask(wrong)


def test_whole_numbers_are_directions_too(perceptron):
    noise, V = perceptron.noise(), np.arange(62).reshape(31, 2)
    for ask in (noise.matvec, noise.project, noise.along):
        np.testing.assert_array_equal(ask(V), ask(V.astype(float)))


def test_a_negative_seed_is_refused(perceptron):
    noise = perceptron.noise()
    asks = [noise.tail, lambda seed: noise.scale(curvature=perceptron.curvature(), seed=seed), noise.held_out_spectrum]
    for ask in asks:
        with pytest.raises(ValueError, match="seed must be an integer, not negative, got -1"):
            ask(seed=-1)


def test_a_curvature_of_other_parameters_is_refused(perceptron):
    with pytest.raises(ValueError, match=r"curvature must be network\.curvature\(\) of the same"):
        perceptron.noise(params="2.*").scale(curvature=perceptron.curvature())
