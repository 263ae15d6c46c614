import numpy as np
import pytest
import torch
from torch import nn

from sgdphys.network import Network


def linear_model(n_in, n_out, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Linear(n_in, n_out, bias=False)


def regression(loss, n_out=1, **options):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, n_out))
    return X, Network(linear_model(3, n_out), loss, (X, y), **options)


def half_squares(output, target):
    return 0.5 * (output - target).square().sum(dim=1)


def test_linear_regression_has_the_second_moment_of_its_inputs():
    X, network = regression(half_squares)
    for kind in ("hessian", "gauss-newton"):
        np.testing.assert_allclose(network.curvature(kind).dense(), X.T @ X / 20, rtol=1e-12)


def test_mean_squares_of_torch_are_twice_that_over_the_outputs():
    X, network = regression(nn.MSELoss(), n_out=2)
    exact = np.kron(np.eye(2), X.T @ X / 20)  # 2/K with K = 2
    for kind in ("hessian", "gauss-newton", "fisher"):
        np.testing.assert_allclose(network.curvature(kind).dense(), exact, rtol=1e-12, atol=1e-14)


def test_softmax_regression_has_one_curvature():
    rng = np.random.default_rng(2)
    network = Network(
        linear_model(3, 4), nn.CrossEntropyLoss(), (rng.normal(size=(20, 3)), rng.integers(4, size=20)),
        weight_decay=0.3,
    )  # fmt: skip
    hessian = network.curvature().dense()
    for kind in ("gauss-newton", "fisher"):
        np.testing.assert_allclose(network.curvature(kind).dense(), hessian, rtol=1e-11, atol=1e-14)
    empirical = network.curvature("empirical-fisher").dense()
    assert np.abs(empirical - hessian).max() > 0.1 * np.abs(hessian).max()  # the labels are not the model's own


def test_gauss_newton_is_the_hessian_at_zero_residual_and_not_elsewhere():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(15, 3))
    model = nn.Sequential(linear_model(3, 4), nn.Tanh(), linear_model(4, 2))
    with torch.no_grad():
        fitted = model.double()(torch.tensor(X)).numpy()
    for shift, equal in ((0.0, True), (0.5, False)):
        network = Network(model, nn.MSELoss(), (X, fitted + shift))
        H, G = (network.curvature(kind).dense() for kind in ("hessian", "gauss-newton"))
        assert (np.abs(H - G).max() < 1e-12) == equal
        assert np.linalg.eigvalsh(G).min() > -1e-12


def test_the_second_moment_is_noise_and_mean_gradient(perceptron):
    g = perceptron.gradient() - perceptron.weight_decay * perceptron.parameters
    second = perceptron.noise().dense() + np.outer(g, g)
    np.testing.assert_allclose(perceptron.curvature("empirical-fisher").dense(), second, rtol=1e-10, atol=1e-13)


def test_weight_decay_is_in_all_that_stand_for_the_loss(classes):
    model = nn.Sequential(linear_model(3, 4), nn.Tanh(), linear_model(4, 3))
    for kind, share in (("hessian", 1), ("gauss-newton", 1), ("fisher", 1), ("empirical-fisher", 0)):
        plain, decayed = (
            Network(model, nn.CrossEntropyLoss(), classes, weight_decay=wd).curvature(kind).dense() for wd in (0.0, 0.7)
        )
        np.testing.assert_allclose(decayed - plain, share * 0.7 * np.eye(24), atol=1e-13)


def test_binary_cross_entropy_is_a_likelihood_of_its_own_labels():
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(20, 3)), rng.integers(2, size=20).astype(float)
    network = Network(nn.Sequential(linear_model(3, 1), nn.Flatten(0)), nn.BCEWithLogitsLoss(), (X, y))
    p = 1 / (1 + np.exp(-X @ network.parameters))
    exact = (X * (p * (1 - p))[:, None]).T @ X / 20
    np.testing.assert_allclose(network.curvature("fisher").dense(), exact, rtol=1e-12)


class Split(nn.Module):
    """Returns a dictionary of two outputs of different shapes."""

    def __init__(self):
        super().__init__()
        self.a, self.b = linear_model(3, 2), linear_model(3, 4, seed=1)

    def forward(self, x):
        return {"one": torch.tanh(self.a(x)), "many": torch.tanh(self.b(x)).reshape(-1, 2, 2)}


def test_outputs_may_be_a_tree_of_any_shapes():
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(10, 3)), rng.normal(size=10)

    def loss(output, target):
        return (output["one"].prod(dim=1) + output["many"].sum(dim=(1, 2)) - target).square().square()

    network = Network(Split(), loss, (X, y))
    objective, point = network.objective, torch.tensor(network.parameters)

    def flat(x):
        tree = objective.outputs_of(x, slice(0, 10))
        return torch.cat([tree["one"], tree["many"].flatten(1)], dim=1)

    def loss_of(z, target):
        return loss({"one": z[None, :2], "many": z[None, 2:].reshape(1, 2, 2)}, target)[0]

    J = torch.autograd.functional.jacobian(flat, point)
    curved = [torch.autograd.functional.hessian(lambda z, i=i: loss_of(z, objective.targets[i]), row)
              for i, row in enumerate(flat(point).detach())]  # fmt: skip
    exact = sum(j.T @ h @ j for j, h in zip(J, curved, strict=True)) / 10
    for route in ("reverse", "forward"):
        found = network.curvature("gauss-newton", route=route).dense()
        np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-12)


def test_a_loss_that_is_linear_in_the_outputs_has_no_gauss_newton_part():
    _, network = regression(lambda output, target: (output * target).sum(dim=1), weight_decay=0.5)
    np.testing.assert_allclose(network.curvature("gauss-newton").dense(), 0.5 * np.eye(3), atol=1e-15)
    np.testing.assert_allclose(network.curvature().dense(), 0.5 * np.eye(3), atol=1e-15)


def test_a_function_has_a_hessian_and_no_gauss_newton_matrix():
    X = np.random.default_rng(6).normal(size=(10, 2))
    network = Network.from_function(lambda p, x: 0.5 * (x @ p["w"]) ** 2, {"w": np.ones(2)}, X)
    np.testing.assert_allclose(network.curvature().dense(), X.T @ X / 10, rtol=1e-12)
    g = X * (X @ np.ones(2))[:, None]
    np.testing.assert_allclose(network.curvature("empirical-fisher").dense(), g.T @ g / 10, rtol=1e-12)
    for kind in ("gauss-newton", "fisher"):
        with pytest.raises(ValueError, match=f"kind='{kind}' needs the outputs apart from the loss.*kind='hessian'"):
            network.curvature(kind)


@pytest.mark.parametrize("loss", [half_squares, nn.L1Loss()])
def test_a_loss_without_a_likelihood_has_no_fisher_matrix(loss):
    _, network = regression(loss)
    with pytest.raises(ValueError, match=r"kind='fisher' needs a loss that is -ln p of a label.*'gauss-newton'"):
        network.curvature("fisher")


def test_class_weights_are_no_likelihood():
    rng = np.random.default_rng(4)
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))
    network = Network(nn.Sequential(linear_model(3, 1), nn.Flatten(0)), loss, (rng.normal(size=(9, 3)), np.ones(9)))
    with pytest.raises(ValueError, match="without weights"):
        network.curvature("fisher")


def test_wrong_names_are_refused(perceptron):
    with pytest.raises(ValueError, match=r"kind must be one of 'hessian', 'gauss-newton'.*got 'newton'"):
        perceptron.curvature("newton")
    with pytest.raises(ValueError, match="route must be 'auto', 'reverse' or 'forward', got 'sideways'"):
        perceptron.curvature(route="sideways")
    with pytest.raises(ValueError, match=r"params='9\.\*' fits none of the trainable parameters 0.weight, 0.bias"):
        perceptron.curvature(params="9.*")


def test_a_model_with_batch_statistics_is_refused(classes):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    network = Network(model, nn.CrossEntropyLoss(), classes, mode="train")
    with pytest.raises(ValueError, match=r"BatchNorm1d with batch statistics.*mode='eval'"):
        network.curvature()


def test_some_parameters_have_their_block(perceptron):
    for kind in ("hessian", "gauss-newton", "empirical-fisher"):
        whole = perceptron.curvature(kind).dense()
        block = perceptron.curvature(kind, params="2.*")
        assert block.dim == 15 and repr(block).startswith("Curvature(d=15, N=30")
        np.testing.assert_allclose(block.dense(), whole[16:, 16:], atol=1e-13)
        both = perceptron.curvature(kind, params=("0.bias", "2.bias")).dense()
        rows = [*range(12, 16), *range(28, 31)]
        np.testing.assert_allclose(both, whole[np.ix_(rows, rows)], atol=1e-13)
