"""Which layers products, Gram matrix and spectrum work on: all that have gradients of single samples, by each route."""

import numpy as np
import pytest
import torch
from naive_networks import loop_over_samples
from network_models import LAYERS, MIXED, network_with

PRECISIONS = {torch.float64: 1e-10, torch.float32: 1e-4}


def distance(found, exact):
    """Return the norm of the difference over that of the exact array."""
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


@pytest.fixture(params=PRECISIONS, ids=["float64", "float32"])
def precision(request):
    return request.param


@pytest.mark.parametrize("name", LAYERS)
def test_products_and_gram_matrix_equal_a_plain_loop(name, precision):
    network = network_with(name, precision)
    gradients = loop_over_samples(network_with(name))
    centred = gradients - gradients.mean(axis=0)
    exact = centred.T @ centred / len(centred)
    noise, v = network.noise(), np.random.default_rng(0).normal(size=network.dim)
    found = {
        "product": (noise.matvec(v), exact @ v),
        "raw gram": (noise.gram(centred=False), gradients @ gradients.T),
        "gram": (noise.gram(), centred @ centred.T),
        "diagonal": (noise.diagonal(), np.diag(exact)),
        "trace": (noise.trace(), np.trace(exact)),
    }
    assert {key: distance(*pair) < PRECISIONS[precision] for key, pair in found.items()} == dict.fromkeys(found, True)
    assert float(network.check()["gradient_mismatch"]) < PRECISIONS[precision]


@pytest.mark.parametrize("route", ["forward", "double", "loop"])
@pytest.mark.parametrize("name", LAYERS)
def test_every_route_gives_the_same_product(name, route):
    network = network_with(name)
    gradients = loop_over_samples(network)
    v = np.random.default_rng(0).normal(size=network.dim)
    noise = network.noise(route=route)
    if route == "forward" and name == "embedding with padding":
        with pytest.raises(ValueError, match=r"would take the padding of an embedding .*; use route='double'"):
            noise.matvec(v)
        assert network.noise().products_route == "double"
        return
    assert noise.products_route == route
    exact = np.cov(gradients.T, bias=True) @ v
    assert distance(noise.matvec(v), exact) < 1e-10


@pytest.mark.parametrize("name", MIXED)
def test_what_has_no_gradient_of_a_sample_is_refused_with_the_way_out(name):
    network = network_with(name)
    reason = "batch statistics" if "batch norm" in name else "changes from call to call"
    for ask in (network.noise, network.check):
        with pytest.raises(ValueError, match=rf"{reason}.*unit='batch'"):
            ask()
    assert network.noise(unit="batch", batch_size=4, n_batches=6).trace() > 0


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("linear", 0),
        ("convolution", 0),
        ("convolution 3d", 0),
        ("embedding with padding", 0),
        ("layer norm of sequences", 0),
        ("frozen batch norm of images", 0),
        ("layer called twice", 0),
        ("two layers with one weight", 0),
        ("tied embedding", 0),
        ("in-place relu", 0),
        ("weight used outside of its layer", 1),
        ("parameters of no layer", 2),
        ("multi-head attention", 4),
        ("gru", 4),
    ],
)
def test_known_layers_need_no_gradients_of_samples(name, unknown, monkeypatch):
    network, asked = network_with(name), []
    whole = "sgdphys.network.noise.gram.sample_gradients"
    real = __import__("sgdphys.network.noise.per_sample", fromlist=["sample_gradients"]).sample_gradients
    monkeypatch.setattr(whole, lambda o, p, rows, names: (asked.append(names), real(o, p, rows, names))[1])
    network.noise().gram()
    assert sum(map(len, asked)) == unknown
