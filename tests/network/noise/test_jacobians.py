import logging

import numpy as np
import pytest
from naive_networks import loop_over_samples
from network_models import network_with


def test_the_graph_is_kept_where_it_fits_and_forward_mode_taken_where_not(perceptron, monkeypatch, caplog):
    v = np.random.default_rng(0).normal(size=31)
    with caplog.at_level(logging.INFO, logger="sgdphys"):
        whole = perceptron.noise()
        expected = whole.matvec(v)
        monkeypatch.setattr("sgdphys.network.objective.WORKING_BYTES", 5000)
        pieces = perceptron.noise()
        np.testing.assert_allclose(pieces.matvec(v), expected, rtol=1e-11, atol=1e-14)
    assert (whole.products_route, pieces.products_route) == ("double", "forward")
    assert "route double" in caplog.text and "route forward" in caplog.text


@pytest.mark.parametrize("route", ["forward", "double"])
def test_pieces_are_centred_by_the_mean_of_all(perceptron, monkeypatch, route):
    far = perceptron.at(perceptron.parameters + 2)
    exact = np.cov(loop_over_samples(far).T, bias=True)
    monkeypatch.setattr("sgdphys.network.objective.WORKING_BYTES", 5000)
    v = np.random.default_rng(0).normal(size=31)
    np.testing.assert_allclose(far.noise(route=route).matvec(v), exact @ v, rtol=1e-9, atol=1e-12)


def test_the_padding_of_an_embedding_keeps_forward_mode_away(monkeypatch):
    monkeypatch.setattr("sgdphys.network.objective.WORKING_BYTES", 2000)
    assert network_with("embedding").noise().products_route == "forward"
    assert network_with("embedding with padding").noise().products_route == "double"


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("name", ["linear", "convolution", "gru", "attention", "embedding"])
def test_forward_mode_takes_columns_together_where_it_can_and_one_by_one_where_not(name, together, monkeypatch):
    network = network_with(name)
    V = np.random.default_rng(0).normal(size=(network.dim, 5))
    gradients = loop_over_samples(network)
    if not together:
        monkeypatch.setattr("sgdphys.network.noise.jacobians.forward_columns", refusing)
    noise = network.noise(route="forward")
    np.testing.assert_allclose(noise.along(V), (gradients - gradients.mean(axis=0)) @ V, rtol=1e-9, atol=1e-12)
    assert noise._jacobian._takes_several == together


def refusing(*_):
    """Do as vmap does with layers that it has no rule for."""
    raise RuntimeError("no batching rule")
