import functools

import numpy as np
import pytest
import torch
from network_models import LAYERS, network_with

KINDS = ("hessian", "gauss-newton", "fisher", "empirical-fisher")
FORWARD_REFUSED = ("lstm", "embedding with padding")
N = 12


@functools.cache
def reference(name):
    """Return the four matrices by plain loops: rows of the Hessian, Jacobians of scores, softmax by hand."""
    network = network_with(name)
    objective, point = network.objective, torch.tensor(network.parameters)
    with objective.context():
        hessian = torch.autograd.functional.hessian(lambda x: objective.sample_losses(x, slice(0, N)).mean(), point)
        scores = objective.outputs_of(point, slice(0, N)).detach()
        J = torch.autograd.functional.jacobian(lambda x: objective.outputs_of(x, slice(0, N)), point)
    p = torch.softmax(scores, dim=1)
    labels = torch.eye(p.shape[1], dtype=torch.float64)
    curved = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    gauss_newton = torch.einsum("nad,nab,nbe->de", J, curved, J) / N
    slopes = torch.einsum("nad,nca->ncd", J, p[:, None, :] - labels)  # of -ln p(c), for each label c
    fisher = torch.einsum("nc,ncd,nce->de", p, slopes, slopes) / N
    own = slopes[torch.arange(N), objective.targets]
    decay = network.weight_decay * torch.eye(network.dim, dtype=torch.float64)
    return dict(zip(KINDS, (hessian + decay, gauss_newton + decay, fisher + decay, own.T @ own / N), strict=True))


@pytest.mark.parametrize("name", LAYERS)
def test_every_matrix_is_that_of_plain_loops(name):
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-4)):
        network = network_with(name, dtype)
        for kind in KINDS:
            exact = reference(name)[kind].numpy()
            found = network.curvature(kind).dense()
            assert found.dtype == (np.float64 if dtype == torch.float64 else np.float32)
            assert np.abs(found - exact).max() <= tolerance * np.abs(exact).max(), (kind, dtype)


@pytest.mark.parametrize("name", ["linear", "convolution", "attention", "rnn", "tied embedding"])
def test_forward_mode_gives_the_same(name):
    network = network_with(name)
    for kind in KINDS:
        curvature = network.curvature(kind, route="forward")
        exact = reference(name)[kind].numpy()
        v = np.random.default_rng(0).normal(size=(network.dim, 2))
        assert np.abs(curvature.matvec(v) - exact @ v).max() <= 1e-10 * np.abs(exact @ v).max()
        assert curvature.route_taken == "forward"


@pytest.mark.parametrize("name", FORWARD_REFUSED)
def test_forward_mode_says_where_it_does_not_run(name):
    with pytest.raises(RuntimeError, match="no route gives second derivatives of this model; forward: "):
        network_with(name, torch.float32).curvature(route="forward").dense()  # float64 of an LSTM takes other kernels
    curvature = network_with(name, torch.float32).curvature()
    curvature.dense()
    assert curvature.route_taken == "reverse"


def test_a_data_set_in_pieces_gives_the_same(perceptron, monkeypatch):
    v = np.random.default_rng(0).normal(size=(31, 3))
    whole = {kind: perceptron.curvature(kind).matvec(v) for kind in KINDS}
    monkeypatch.setattr("sgdphys.network.objective.WORKING_BYTES", 30 * perceptron.objective.bytes_per_sample)
    for kind in KINDS:
        curvature = perceptron.curvature(kind)
        assert len(curvature._products._pieces) > 3
        np.testing.assert_allclose(curvature.matvec(v), whole[kind], rtol=1e-12, atol=1e-14)


def test_columns_one_by_one_give_the_same(perceptron, monkeypatch):
    v = np.random.default_rng(0).normal(size=(31, 3))
    whole = perceptron.curvature("gauss-newton").matvec(v)
    monkeypatch.setattr("sgdphys.network.curvature.products.WORKING_BYTES", 1)
    np.testing.assert_allclose(perceptron.curvature("gauss-newton").matvec(v), whole, rtol=1e-12, atol=1e-14)


def test_a_batched_backward_pass_that_is_wrong_is_not_used(perceptron, monkeypatch):
    from sgdphys.network.curvature import routes

    right = perceptron.curvature().dense()
    true = routes._batched
    monkeypatch.setattr(routes, "_batched", lambda *parts: [2 * g for g in true(*parts)])
    np.testing.assert_allclose(perceptron.curvature().dense(), right, rtol=1e-12, atol=1e-14)


def test_products_work_where_gradients_are_off(perceptron):
    right = perceptron.curvature().dense()
    with torch.no_grad():
        np.testing.assert_array_equal(perceptron.curvature().dense(), right)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["linear", "convolution", "attention", "lstm"])
def test_products_on_a_gpu(name):
    network = network_with(name)
    for kind in KINDS:
        curvature = network.curvature(kind)
        moved = type(network)(
            network.objective.model.module, torch.nn.CrossEntropyLoss(),
            (network.objective.inputs, network.objective.targets), weight_decay=0.01, device="cuda",
        )  # fmt: skip
        found = moved.at(network.parameters).curvature(kind).dense()
        np.testing.assert_allclose(found, curvature.dense(), rtol=1e-9, atol=1e-11)
