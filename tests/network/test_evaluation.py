"""What a network refuses at its doors, and what it evaluates whatever surrounds it."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sgdphys.network import Network

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 1))


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def network(**options):
    return Network(model(), nn.MSELoss(), (X, Y), weight_decay=0.1, **options)


class Branching(nn.Module):
    """A model whose Python looks at a parameter, with a tensor that no sample owns beside its outputs."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(3, 1)

    def forward(self, x):
        y = self.map(x)
        return (y if self.map.weight.sum() > 0 else 2 * y), self.map.weight.sum(), None


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((lambda x: x, nn.MSELoss(), (X, Y)), {}, TypeError, "model must be a torch.nn.Module, got function"),
        ((nn.Linear, nn.MSELoss(), (X, Y)), {}, TypeError, "got the class Linear"),
        ((nn.LazyLinear(1), nn.MSELoss(), (X, Y)), {}, ValueError, "call the model on some inputs first"),
        ((nn.Linear(3, 1, dtype=torch.complex64), nn.MSELoss(), (X, Y)), {}, ValueError, "'weight' is complex"),
        ((model(), nn.MSELoss, (X, Y)), {}, TypeError, "got the class MSELoss; call it"),
        ((model(), nn.MSELoss(), (X[:, :2], Y)), {}, ValueError, "model cannot be called on the data, inputs .12, 2."),
        ((model(), nn.MSELoss(), (X.astype(int), Y)), {}, ValueError, "whole numbers stay whole"),
        ((model(), lambda _o, _y: 1 / 0, (X, Y)), {}, ValueError, "loss cannot be called on outputs .* Zero"),
        ((model(), lambda o, _y: o[:, 0].detach(), (X, Y)), {}, ValueError, "the loss has no gradient"),
        ((model(), lambda o, _y: o[:, 0] * torch.nan, (X, Y)), {}, ValueError, "loss of a sample is NaN or infinite"),
        ((model(), nn.MSELoss(), (X, Y)), {"weight_decay": "a"}, ValueError, "weight_decay must be finite and not neg"),
        ((model(), nn.MSELoss(), (X, Y)), {"weight_decay": True}, ValueError, "weight_decay must be finite"),
        ((model(), nn.MSELoss(), (X, Y)), {"params": 5}, ValueError, "params must be a pattern of parameter names"),
        ((model(), nn.MSELoss(), (X, Y)), {"dtype": "float32"}, ValueError, "dtype must be torch.float64"),
        ((model(), nn.MSELoss(), (X, Y)), {"dtype": torch.bfloat16}, ValueError, "dtype must be torch.float64"),
        ((model(), nn.MSELoss(), (X, Y)), {"device": "meta"}, ValueError, "holds no numbers"),
        ((model(), nn.MSELoss(), (X, Y)), {"to_batch": 3}, TypeError, "to_batch must be a function"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(arguments, options, error, message):
    with pytest.raises(error, match=message) as caught:
        Network(*arguments, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [None, (), {}, 3, ((),)])
def test_data_of_a_function_are_arrays(data):
    with pytest.raises(ValueError, match="data must be an array, or a tuple or dictionary of arrays"):
        Network.from_function(lambda p, _b: p["w"], {"w": np.zeros(2)}, data)


def test_parameters_of_a_function_are_real_numbers():
    with pytest.raises(ValueError, match=r"params\['w'\] must be real numbers"):
        Network.from_function(lambda p, _b: p["w"], {"w": np.zeros(2) + 1j}, X)
    whole = Network.from_function(lambda p, b: (b @ p["w"]) ** 2, {"w": torch.tensor([1, 2, 3])}, X)
    assert_allclose(whole.loss_value, np.mean((X @ [1, 2, 3]) ** 2), rtol=1e-12)


def test_targets_that_broadcast_against_the_outputs_are_named():
    mixed = Network(model(), lambda o, y: (o - y).square().mean(dim=1), (X, Y[:, 0]))
    with pytest.raises(ValueError, match=r"outputs \(8, 1\) and targets \(8,\) broadcast against each other"):
        mixed.gradient()


def test_points_may_be_whole_numbers_but_nothing_else():
    net = network()
    zero = np.zeros(net.dim)
    assert net.potential(zero.astype(int)) == net.potential(zero)
    assert_allclose(net.curvature().matvec(np.ones(net.dim, int)), net.curvature().matvec(zero + 1))
    assert net.hessian(np.zeros((0, net.dim))).shape == (0, net.dim, net.dim)
    with pytest.raises(ValueError, match="parameters must be real numbers"):
        net.gradient(zero + 1j)
    with pytest.raises(ValueError, match="a network is at one point"):
        net.at(np.zeros((2, net.dim)))
    with pytest.raises(ValueError, match="cannot be called on these inputs: RuntimeError"):
        net.outputs(X[:, :2])


@pytest.mark.parametrize("surroundings", [torch.no_grad, torch.inference_mode])
def test_gradients_are_taken_where_the_caller_has_switched_them_off(surroundings):
    expected = network()
    with surroundings():
        net = network()
        found = net.gradient(), net.curvature("gauss-newton").dense(), net.minimum().loss_value
        assert not torch.is_grad_enabled()
    assert_allclose(found[0], expected.gradient(), rtol=1e-12)
    assert_allclose(found[1], expected.curvature("gauss-newton").dense(), rtol=1e-12, atol=1e-14)
    assert_allclose(found[2], expected.minimum().loss_value, rtol=1e-10)
    assert_allclose(net.gradient(), expected.gradient(), rtol=1e-12)  # made inside, used outside


def test_models_that_cannot_run_at_many_points_at_once_run_one_by_one():
    torch.manual_seed(1)
    net = Network(Branching(), lambda o, y: (o[0] - y)[:, 0] ** 2 + o[1] ** 2, (X, Y), weight_decay=0.2)
    points = RNG.normal(size=(3, net.dim))
    assert_allclose(net.potential(points), [net.at(x).loss_value for x in points], rtol=1e-12)
    assert_allclose(net.gradient(points), [net.at(x).gradient() for x in points], rtol=1e-12)
    routes = [net.curvature("gauss-newton", route=route).dense() for route in ("reverse", "forward")]
    assert_allclose(routes[0], routes[1], atol=1e-12)
