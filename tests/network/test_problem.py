import numpy as np
import pytest
import torch
from asserts import central_difference

from sgdphys.errors import MemoryLimitError
from sgdphys.network import Network
from sgdphys.network import objective as objective_module


def naive_loss(network, classes, x):
    """Return the regularised cross-entropy of the 3-4-3 perceptron, written out."""
    inputs, labels = classes
    w1, b1, w2, b2 = np.split(x, [12, 16, 28])
    scores = np.tanh(inputs @ w1.reshape(4, 3).T + b1) @ w2.reshape(3, 4).T + b2
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(30), labels]
    return losses.mean() + network.weight_decay / 2 * x @ x


def points(network, count=3):
    return network.parameters + 0.3 * np.random.default_rng(4).normal(size=(count, network.dim))


def test_the_potential_is_the_regularised_mean_loss(perceptron, classes):
    x = points(perceptron)
    np.testing.assert_allclose(perceptron.potential(x), [naive_loss(perceptron, classes, p) for p in x], rtol=1e-13)
    assert perceptron.loss_value == pytest.approx(naive_loss(perceptron, classes, perceptron.parameters), rel=1e-13)


def test_gradient_and_hessian_are_its_derivatives(perceptron):
    x = points(perceptron)
    np.testing.assert_allclose(perceptron.gradient(x), central_difference(perceptron.potential, x), atol=1e-8)
    np.testing.assert_allclose(perceptron.hessian(x), central_difference(perceptron.gradient, x), atol=1e-8)


def test_one_point_or_none_has_no_particle_axis(perceptron):
    x = perceptron.parameters
    assert perceptron.potential(x).shape == () == perceptron.potential().shape
    assert np.array_equal(perceptron.gradient(x), perceptron.gradient())
    assert perceptron.hessian().shape == (31, 31)
    assert perceptron.residual_gradient_norm == pytest.approx(np.linalg.norm(perceptron.gradient()))


def test_tensors_give_tensors(perceptron):
    x = torch.tensor(points(perceptron))
    assert all(isinstance(f(x), torch.Tensor) for f in (perceptron.potential, perceptron.gradient, perceptron.hessian))
    np.testing.assert_array_equal(perceptron.potential(x).numpy(), perceptron.potential(x.numpy()))
    assert not perceptron.gradient(x).requires_grad


def test_results_do_not_depend_on_the_pieces(perceptron, monkeypatch):
    x = points(perceptron)
    whole = perceptron.potential(x), perceptron.gradient(x), perceptron.curvature().dense()
    monkeypatch.setattr(objective_module, "WORKING_BYTES", 3000)
    assert len(list(perceptron.objective.rows())) > 2
    pieces = perceptron.potential(x), perceptron.gradient(x), perceptron.at(perceptron.parameters).curvature().dense()
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_outputs_are_those_of_the_model(perceptron, classes):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)).double()
    x = points(perceptron)
    torch.nn.utils.vector_to_parameters(torch.tensor(x[1]), model.parameters())
    expected = model(torch.tensor(classes[0])).detach().numpy()
    np.testing.assert_allclose(perceptron.outputs(classes[0], x)[1], expected, rtol=1e-12)
    np.testing.assert_allclose(perceptron.outputs(classes[0], x[1]), expected, rtol=1e-12)


def test_at_moves_and_leaves_the_original(perceptron):
    before = perceptron.loss_value
    moved = perceptron.at(perceptron.parameters + 1)
    assert moved.loss_value != before == perceptron.loss_value
    assert np.array_equal(moved.parameters, perceptron.parameters + 1)


def test_per_sample_gradients_average_to_the_gradient(perceptron):
    gradients = perceptron.per_sample_gradients()
    assert gradients.shape == (30, 31)
    np.testing.assert_allclose(gradients.mean(axis=0), perceptron.gradient(), atol=1e-15)


def test_single_precision_on_request(classes):
    model = torch.nn.Linear(3, 3)
    network = Network(model, torch.nn.CrossEntropyLoss(), classes, dtype=torch.float32)
    assert network.parameters.dtype == np.float32 and network.gradient().dtype == np.float32


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        ((np.ones((5, 3)), np.ones(4)), {}, r"same number of rows.* got shapes \(5, 3\) and \(4,\)"),
        ((np.ones((0, 3)), np.ones(0)), {}, "at least one"),
        (np.ones((5, 3)), {}, r"data must be the pair \(inputs, targets\), a Dataset.* got ndarray"),
        ((np.full((5, 3), np.inf), np.zeros(5, int)), {}, "inputs hold NaN or infinity"),
        ((np.ones((5, 3)), np.zeros(5, int)), {"weight_decay": -1.0}, "weight_decay must be finite and not negative"),
        ((np.ones((5, 3)), np.zeros(5, int)), {"weight_decay": np.nan}, "got nan"),
    ],
)
def test_data_that_do_not_fit_are_refused(data, settings, message):
    with pytest.raises(ValueError, match=message):
        Network(torch.nn.Linear(3, 2), torch.nn.CrossEntropyLoss(), data, **settings)


def test_points_of_another_shape_are_refused(perceptron):
    with pytest.raises(ValueError, match=r"shape \(particle, 31\) or \(31,\), got \(2, 30\)"):
        perceptron.gradient(np.zeros((2, 30)))


def test_matrices_larger_than_memory_are_refused():
    network = Network(torch.nn.Linear(2_000_000, 1), torch.nn.MSELoss(), (np.ones((2, 2_000_000)), np.ones((2, 1))))
    for ask in (network.hessian, network.noise().dense, network.curvature().dense):
        with pytest.raises(MemoryLimitError, match=r"of 2000001 parameters: .* TB are needed, .* are free; use "):
            ask()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu(classes, perceptron):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
    loss = torch.nn.CrossEntropyLoss()
    cuda = Network(model, loss, classes, weight_decay=0.02, device="cuda").at(perceptron.parameters)
    np.testing.assert_allclose(cuda.gradient(), perceptron.gradient(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(cuda.noise().dense(), perceptron.noise().dense(), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(cuda.curvature().dense(), perceptron.curvature().dense(), rtol=1e-9, atol=1e-12)
