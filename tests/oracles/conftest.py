"""Networks that other packages measure too; their warnings are not ours."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from sgdphys.network import Network

N = 24


def _perceptron():
    return nn.Sequential(nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 3))


def _convolution():
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 3, 2, padding=1), nn.Sigmoid(), nn.Flatten(), nn.Linear(36, 3)
    )


MODELS = {"perceptron": _perceptron, "convolution": _convolution}
PRECISIONS = {torch.float64: 1e-10, torch.float32: 1e-4}


class Case:
    """A model with its loss and data for another package, and the same as a Network without weight decay."""

    def __init__(self, name, loss, dtype):
        rng = np.random.default_rng(0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.model = MODELS[name]().to(dtype)
        self.loss, self.tolerance = loss, PRECISIONS[dtype]
        self.inputs = torch.tensor(rng.normal(size=(N, 6)), dtype=dtype)
        classes = torch.tensor(rng.integers(3, size=N))
        values = torch.tensor(rng.normal(size=(N, 3)), dtype=dtype)
        self.targets = classes if isinstance(loss, nn.CrossEntropyLoss) else values
        self.network = Network(self.model, loss, (self.inputs, self.targets), dtype=dtype)
        self.parameters = list(self.model.parameters())

    def assert_same(self, ours, theirs):
        """The largest difference is within the precision of the largest entry."""
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= self.tolerance * np.abs(theirs).max()


@pytest.fixture(params=list(PRECISIONS), ids=["float64", "float32"])
def dtype(request):
    return request.param


@pytest.fixture(params=[nn.CrossEntropyLoss(), nn.MSELoss()], ids=["cross entropy", "squared error"])
def loss(request):
    return request.param


@pytest.fixture(params=list(MODELS))
def case(request, loss, dtype):
    return Case(request.param, loss, dtype)


@pytest.fixture(autouse=True)
def _without_warnings_of_others():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
