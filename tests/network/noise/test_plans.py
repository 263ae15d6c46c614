import re

import numpy as np
import pytest
import torch
from network_models import network_with

from sgdphys.errors import MemoryLimitError
from sgdphys.network import Network
from sgdphys.network.noise.data_pieces import pairs
from sgdphys.network.noise.peak_memory import levels_and_kept
from sgdphys.network.noise.plans import memory_limit


def classifier(*layers, n_samples, n_features, dtype=torch.float32):
    """Return a network of random data with these layers."""
    rng = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torch.nn.Sequential(*(make() for make in layers))
    data = (rng.normal(size=(n_samples, n_features)), rng.integers(3, size=n_samples))
    return Network(model, torch.nn.CrossEntropyLoss(), data, dtype=dtype)


def linear(*sizes):
    """Return what makes a linear layer."""
    return lambda: torch.nn.Linear(*sizes)


def measured_peak(compute):
    """Return the most bytes that torch has allocated at once, beyond those before."""
    return levels_and_kept(compute, torch.device("cpu"))[0].max()


@pytest.mark.parametrize(
    "network",
    [
        classifier(
            linear(20, 64), torch.nn.Tanh, linear(64, 64), torch.nn.Tanh, linear(64, 3), n_samples=600, n_features=20
        ),
        classifier(
            linear(20, 900), torch.nn.Tanh, linear(900, 90), torch.nn.Tanh, linear(90, 3), n_samples=300, n_features=20
        ),
        classifier(linear(20, 8), torch.nn.Tanh, linear(8, 3), n_samples=600, n_features=20, dtype=torch.float64),
        classifier(
            lambda: torch.nn.Unflatten(1, (1, 5, 4)),
            lambda: torch.nn.Conv2d(1, 8, 3, padding=1),
            torch.nn.Tanh,
            torch.nn.Flatten,
            linear(160, 3),
            n_samples=400,
            n_features=20,
        ),
    ],
    ids=["perceptron", "many parameters", "float64", "convolution"],
)
def test_the_plan_is_what_the_allocator_reports(network):
    noise, v = network.noise(), torch.zeros(network.dim)
    plan = noise.plan()
    assert plan.gram.n_bytes == pytest.approx(measured_peak(noise.gram), rel=0.15)
    assert plan.matvec.n_bytes == pytest.approx(measured_peak(lambda: network.noise().matvec(v)), rel=0.05)


def test_the_plan_can_be_read(perceptron):
    text = repr(perceptron.noise(max_memory="1GB").plan())
    assert text.startswith("NoisePlan (at most 1 GB)")
    assert "gram      layers (4 of 4 parameter tensors)" in text
    assert "matvec    double" in text
    assert re.search(r"1\.3 passes", text)


def wide():
    """Return a network of 400 samples with 512 hidden units."""
    return classifier(linear(20, 512), torch.nn.Tanh, linear(512, 3), n_samples=400, n_features=20)


def test_max_memory_is_kept():
    network = wide()
    whole, small = network.noise(), network.noise(max_memory="3MB")
    expected = whole.gram()
    plan = small.plan()
    assert plan.gram.n_bytes < 3e6 < whole.plan().gram.n_bytes
    assert plan.gram.passes > whole.plan().gram.passes == 1
    assert measured_peak(small.gram) < 3e6
    np.testing.assert_allclose(small.gram(), expected, rtol=1e-4, atol=1e-5 * expected.max())


@pytest.mark.parametrize(("name", "max_memory"), [("linear", "4kB"), ("wide", "3MB"), ("gru", "30kB"), ("gru", "80kB")])
def test_the_passes_of_the_plan_are_those_that_run(name, max_memory, monkeypatch):
    network = wide() if name == "wide" else network_with(name)
    noise, samples = network.noise(max_memory=max_memory), []

    def counted(pieces, make, keep=False):
        return pairs(pieces, lambda rows: (samples.append(rows.stop - rows.start), make(rows))[1], keep)

    monkeypatch.setattr("sgdphys.network.noise.gram.pairs", counted)
    passes = noise.plan().gram.passes
    noise.gram()
    assert passes == pytest.approx(sum(samples) / network.n_samples, rel=1e-12)
    assert len(samples) > 1


def test_products_cost_least_where_the_graph_is_kept(perceptron, monkeypatch):
    passes = {route: perceptron.noise(route=route).plan().matvec.passes for route in ("loop", "double", "forward")}
    monkeypatch.setattr("sgdphys.network.objective.WORKING_BYTES", 5000)
    assert passes["loop"] == 1
    assert passes["double"] < passes["forward"] < perceptron.noise(route="double").plan().matvec.passes


@pytest.mark.parametrize("quantity", ["trace", "diagonal"])
def test_traces_keep_to_max_memory_too(quantity):
    network = wide()
    small = network.noise(max_memory="2MB")
    expected = getattr(network.noise(), quantity)()
    assert len(small._maker._single_rows) > 1
    assert measured_peak(getattr(small, quantity)) < 2e6 < measured_peak(getattr(network.noise(), quantity))
    np.testing.assert_allclose(getattr(small, quantity)(), expected, rtol=1e-3, atol=1e-9)


def test_gradients_in_pieces_make_the_same_trace():
    network = network_with("gru")
    small = network.noise(max_memory="30kB")
    assert len(small._maker.gradient_rows(small._maker.unknown[:1])) > 1
    assert small.trace() == pytest.approx(network.noise().trace(), rel=1e-10)


def test_two_pieces_of_gradients_fit_at_once():
    maker = network_with("gru").noise(max_memory="30kB")._maker
    for name in maker.unknown:
        each = maker.n_numbers([name]) * 8
        assert all(2 * (rows.stop - rows.start) * each <= 30_000 for rows in maker.gradient_rows([name]))


def test_products_keep_to_max_memory():
    network, v = wide(), torch.ones(12_291)
    limit = int(0.6 * measured_peak(lambda: network.noise().matvec(v)))
    small = network.noise(max_memory=limit)
    assert len(small._jacobian.pieces) > 1
    assert measured_peak(lambda: network.noise(max_memory=limit).matvec(v)) < limit


def test_batches_keep_to_max_memory():
    noise = wide().noise(unit="batch", batch_size=4, n_batches=60, max_memory="1MB")
    assert measured_peak(noise.gram) < 1e6 < 60 * 12_291 * 4


def test_a_quarter_of_what_is_free_is_used_when_nothing_is_said(monkeypatch):
    monkeypatch.setattr("sgdphys.network.noise.plans.available_memory", lambda: 1000)
    assert memory_limit(None, torch.zeros(1)) == 250


def test_a_dense_matrix_is_refused_above_max_memory_and_made_below(perceptron):
    needed = (2 * 31 + 3) * 31 * 8 + perceptron.objective.bytes_per_sample
    assert perceptron.noise(max_memory=needed).dense().shape == (31, 31)
    with pytest.raises(MemoryLimitError, match=r"the dense covariance of 31 parameters.*max_memory"):
        perceptron.noise(max_memory=needed - 1).dense()


def test_the_spectrum_comes_from_the_smaller_matrix(perceptron):
    assert perceptron.noise().plan().spectrum.route.startswith("Gram matrix, layers")
    assert perceptron.noise(params="2.*").plan().spectrum.route == "covariance"


def test_the_covariance_takes_no_more_than_planned():
    network = classifier(linear(20, 8), torch.nn.Tanh, linear(8, 3), n_samples=220, n_features=20)
    noise = network.noise()
    noise.dense()  # what is made only once, as the mean gradient, is there
    peak = measured_peak(noise.dense)
    assert peak <= noise.plan().spectrum.n_bytes < 1.4 * peak


def test_what_cannot_fit_is_refused():
    noise = network_with("linear").noise(max_memory=1000)
    with pytest.raises(MemoryLimitError, match=r"the Gram matrix of 12 samples.*max_memory"):
        noise.gram()


def test_no_product_and_no_gram_matrix_allocates_all_gradients():
    network = classifier(
        linear(20, 300), torch.nn.Tanh, linear(300, 300), torch.nn.Tanh, linear(300, 3), n_samples=200, n_features=20
    )
    noise, everything = network.noise(), 200 * network.dim * 4
    for compute in (
        lambda: noise.matvec(torch.ones(network.dim)),
        noise.gram,
        noise.trace,
        noise.spectrum,
        noise.diagonal,
    ):
        assert measured_peak(compute) < everything / 10


@pytest.mark.parametrize(("text", "size"), [("2GB", 2e9), ("1.5 MB", 1.5e6), (1000, 1000), ("3e3", 3000)])
def test_sizes_in_words(text, size):
    assert memory_limit(text, torch.zeros(1)) == size
