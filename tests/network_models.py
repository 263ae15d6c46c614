"""Small networks of many layer types, for the tests of sgdphys.network."""

from __future__ import annotations

import numpy as np
import torch

from sgdphys.network import Network


class Sequence(torch.nn.Module):
    """A recurrent or attention layer over four tokens of three features, averaged, then two scores."""

    def __init__(self, layer, width):
        super().__init__()
        self.layer, self.scores = layer, torch.nn.Linear(width, 2)

    def forward(self, x):
        y = self.layer(x)
        return self.scores((y[0] if isinstance(y, tuple) else y).mean(dim=1))


def _attention():
    layer = torch.nn.TransformerEncoderLayer(3, 1, dim_feedforward=4, dropout=0.0, batch_first=True)
    return Sequence(layer, 3)


def _convolution():
    nn = torch.nn
    return nn.Sequential(
        nn.Unflatten(1, (1, 3, 4)), nn.Conv2d(1, 2, 2), nn.GroupNorm(1, 2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)
    )


LAYERS = {
    "linear": lambda: torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(12, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2)
    ),
    "layer norm": lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LayerNorm(12), torch.nn.Linear(12, 2)),
    "convolution": lambda: torch.nn.Sequential(torch.nn.Flatten(), _convolution()),
    "frozen batch norm": lambda: torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(12, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2)
    ).eval(),
    "attention": _attention,
    "lstm": lambda: Sequence(torch.nn.LSTM(3, 4, batch_first=True), 4),
    "gru": lambda: Sequence(torch.nn.GRU(3, 4, batch_first=True), 4),
}


def network_with(name: str) -> Network:
    """Return a classifier of 12 random samples (4, 3) with this layer."""
    rng = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = LAYERS[name]()
    return Network(
        model, torch.nn.CrossEntropyLoss(), (rng.normal(size=(12, 4, 3)), rng.integers(2, size=12)), weight_decay=0.01
    )
