import numpy as np
import pytest
import torch

from sgdphys.network import Network

DOUBLE = torch.float64
CPU = torch.device("cpu")
INPUTS, TARGETS = np.random.default_rng(1).normal(size=(12, 3)), np.random.default_rng(2).normal(size=(12, 2))


def network(loss, targets=TARGETS, n_outputs=2, **settings):
    model = torch.nn.Linear(3, n_outputs, dtype=DOUBLE)
    torch.nn.init.constant_(model.weight, 0.3)
    torch.nn.init.constant_(model.bias, -0.1)
    return Network(model, loss, (INPUTS, targets), **settings)


def own_mean(loss, targets):
    model = torch.nn.Linear(3, 2, dtype=DOUBLE)
    torch.nn.init.constant_(model.weight, 0.3)
    torch.nn.init.constant_(model.bias, -0.1)
    return loss(model(torch.tensor(INPUTS)), torch.tensor(targets)).item()


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (torch.nn.MSELoss(), TARGETS),
        (torch.nn.SmoothL1Loss(beta=0.2), TARGETS),
        (torch.nn.CrossEntropyLoss(label_smoothing=0.1), np.arange(12) % 2),
        (torch.nn.BCEWithLogitsLoss(), (TARGETS > 0).astype(float)),
    ],
)
def test_a_module_gives_its_own_mean(loss, targets):
    assert network(loss, targets).loss_value == pytest.approx(own_mean(loss, targets), rel=1e-13)
    assert loss.reduction == "mean"


def test_mse_is_twice_the_half_square_averaged_over_outputs():
    halves = network(lambda output, target: 0.5 * ((output - target) ** 2).sum(dim=1))
    mse = network(torch.nn.MSELoss())
    assert halves.loss_value == pytest.approx(mse.loss_value * 2 / 2, rel=1e-13)  # two outputs: 2/2
    one = TARGETS[:, 0]
    half = network(lambda output, target: 0.5 * (output[:, 0] - target) ** 2, one, 1)
    square = network(torch.nn.MSELoss(), one[:, None], 1)
    assert square.curvature().trace() == pytest.approx(2 * float(half.curvature().trace()), rel=1e-12)
    assert square.noise().trace() == pytest.approx(4 * half.noise().trace(), rel=1e-12)


def test_the_users_loss_module_stays_as_it_is():
    loss = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0, 3.0]))
    network(loss, (TARGETS > 0).astype(float))
    assert loss.reduction == "mean" and loss.pos_weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("loss", "targets", "message"),
    [
        (torch.nn.MSELoss(reduction="sum"), TARGETS, "MSELoss sums over the samples"),
        (
            torch.nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0])),
            np.arange(12) % 3 % 2,
            r"CrossEntropyLoss returns .* per-sample values is .*class weights",
        ),
        (lambda output, target: ((output - target) ** 2).mean(), TARGETS, r"one value per sample, shape \(8,\), got"),
        (lambda output, target: (output - target) ** 2, TARGETS, r"got shape \(8, 2\)"),
        (
            lambda output, target: ((output - output.mean(dim=0)) ** 2).sum(dim=1),
            TARGETS,
            "loss of a sample changes with the other samples",
        ),
    ],
)
def test_a_loss_that_is_no_mean_of_samples_is_refused(loss, targets, message):
    with pytest.raises(ValueError, match=message):
        network(loss, targets).noise()


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match=r"loss must be a callable .* got str"):
        network("mse")
