import numpy as np
import pytest
import torch

from sgdphys.network import Network, digits_network


def seeded(make):
    """Return a module made from a fixed seed, the global generator untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


@pytest.fixture
def classes():
    """Return 30 points in three dimensions with labels 0..2."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 3)), rng.integers(3, size=30)


@pytest.fixture
def perceptron(classes):
    """Return a classifier of 3-4-3 tanh units with weight decay, at random weights: 31 parameters, 30 samples."""
    model = seeded(lambda: torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)))
    return Network(model, torch.nn.CrossEntropyLoss(), classes, weight_decay=0.02)


@pytest.fixture(scope="session")
def digits():
    """Return the digits classifier of physics.md R at its minimum."""
    return digits_network().minimum()


def half_square(output, target):
    """Return half the squared residual of one output."""
    return 0.5 * (output[:, 0] - target) ** 2


@pytest.fixture
def line():
    """Return a function that fits y = w x by least squares: a Network of one parameter, at w = start."""

    def make(inputs=(1.0, 2.0, -1.0, 0.5), targets=(1.0, 1.0, 0.0, 2.0), start=0.64, weight_decay=0.0):
        model = torch.nn.Linear(1, 1, bias=False)
        model.weight.data.fill_(start)
        return Network(model, half_square, (np.array(inputs)[:, None], np.array(targets)), weight_decay=weight_decay)

    return make
