"""A zoo of small networks, one for each kind of layer, for the tests of sgdphys.network."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sgdphys.network import Network


class Sequence(nn.Module):
    """A layer over four tokens of three features, averaged over the tokens, then two scores."""

    def __init__(self, layer, width):
        super().__init__()
        self.layer, self.scores = layer, nn.Linear(width, 2)

    def forward(self, x):
        y = self.layer(x)
        return self.scores((y[0] if isinstance(y, tuple) else y).mean(dim=1))


class Attention(nn.Module):
    """Self-attention of two heads."""

    def __init__(self):
        super().__init__()
        self.map, self.attend = nn.Linear(3, 4), nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        y = self.map(x)
        return self.attend(y, y, y)[0]


class Tokens(nn.Module):
    """Each token as a number 0..4 through an embedding; number 0 is padding in some tests, and most tokens repeat."""

    def __init__(self, **options):
        super().__init__()
        self.embedding = nn.Embedding(5, 3, **options)

    def forward(self, x):
        return self.embedding((x[..., 0] > 0).long() + 2 * (x[..., 1] > 0).long())


class FreshTensor(nn.Module):
    """A linear map whose output is written into a fresh tensor in place."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(3, 3)

    def forward(self, x):
        y = torch.zeros(len(x), 4, 3, dtype=x.dtype, device=x.device)
        y[:, 1:] = self.map(x[:, 1:])
        y[:, 0] = torch.tanh(x[:, 0] * self.map.bias)
        return y


class Twice(nn.Module):
    """One linear map called twice, with a nonlinearity between."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(3, 3)

    def forward(self, x):
        return self.map(torch.tanh(self.map(x)))


class Tied(nn.Module):
    """A token's embedding and the scores of the next token, with one matrix for both."""

    def __init__(self):
        super().__init__()
        self.tokens, self.mix, self.back = Tokens(), nn.Linear(3, 3), nn.Linear(3, 5, bias=False)
        self.back.weight = self.tokens.embedding.weight

    def forward(self, x):
        return self.back(torch.tanh(self.mix(self.tokens(x))))


class TiedLinear(nn.Module):
    """Two linear maps with one matrix and their own biases."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


class Bare(nn.Module):
    """Parameters that belong to no known layer: a scale, and a matrix used in a plain product."""

    def __init__(self):
        super().__init__()
        self.scale, self.matrix = nn.Parameter(torch.randn(3)), nn.Parameter(torch.randn(3, 3))

    def forward(self, x):
        return torch.tanh(x * self.scale) @ self.matrix


class Penalised(nn.Module):
    """A linear layer whose weight is also used outside of its call."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(3, 3)

    def forward(self, x):
        return torch.tanh(self.map(x)) @ self.map.weight


def _classifier(*layers, width):
    """Return the layers on the flat input (12,), then two scores."""
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(width, 2))


def _scored(layer, n_features, *shape):
    """Return a layer on inputs of this shape, then a nonlinearity and two scores."""
    return nn.Sequential(nn.Flatten(), nn.Unflatten(1, shape), layer, nn.Tanh(), nn.Flatten(), nn.Linear(n_features, 2))


def _transformer(**options):
    return nn.TransformerEncoderLayer(3, 1, dim_feedforward=4, dropout=0.0, batch_first=True, **options)


LAYERS = {  # one loss per sample; the input of a sample is (4, 3)
    "linear": lambda: _classifier(nn.Linear(12, 3), nn.Tanh(), width=3),
    "linear of sequences": lambda: Sequence(nn.Sequential(nn.Linear(3, 3), nn.Tanh()), 3),
    "linear without bias": lambda: _classifier(nn.Linear(12, 3, bias=False), nn.Tanh(), width=3),
    "in-place relu": lambda: _classifier(nn.Linear(12, 4), nn.ReLU(inplace=True), width=4),
    "convolution": lambda: nn.Sequential(
        nn.Flatten(),
        nn.Unflatten(1, (1, 3, 4)),
        nn.Conv2d(1, 2, 2),
        nn.GroupNorm(1, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12, 2),
    ),
    "convolution 1d": lambda: _scored(nn.Conv1d(2, 4, 3, stride=2, padding=2, dilation=2, groups=2), 12, 2, 6),
    "convolution 1d, same": lambda: _scored(nn.Conv1d(2, 2, 3, padding="same", dilation=2), 12, 2, 6),
    "convolution 2d": lambda: _scored(
        nn.Conv2d(1, 2, (2, 3), stride=(1, 2), padding=(1, 2), padding_mode="circular", bias=False), 24, 1, 3, 4
    ),
    "convolution 3d": lambda: _scored(nn.Conv3d(1, 2, 2, padding=(0, 1, 0)), 12, 1, 2, 2, 3),
    "transposed convolution": lambda: _scored(nn.ConvTranspose1d(2, 2, 3, stride=2), 26, 2, 6),
    "layer norm": lambda: _classifier(nn.LayerNorm(12), width=12),
    "layer norm of sequences": lambda: Sequence(nn.LayerNorm((4, 3)), 3),
    "root mean square norm": lambda: _classifier(nn.RMSNorm(12), width=12),
    "instance norm": lambda: _scored(nn.InstanceNorm1d(4, affine=True), 12, 4, 3),
    "group norm": lambda: _scored(nn.GroupNorm(2, 4), 12, 4, 3),
    "frozen batch norm": lambda: _classifier(nn.Linear(12, 3), nn.BatchNorm1d(3), width=3).eval(),
    "frozen batch norm of images": lambda: _scored(nn.BatchNorm2d(2), 12, 2, 3, 2).eval(),
    "frozen dropout": lambda: _classifier(nn.Linear(12, 3), nn.Dropout(0.5), nn.Tanh(), width=3).eval(),
    "attention": lambda: Sequence(_transformer(), 3),
    "frozen attention": lambda: Sequence(_transformer(norm_first=True), 3).eval(),
    "multi-head attention": lambda: Sequence(Attention(), 4),
    "rnn": lambda: Sequence(nn.RNN(3, 4, batch_first=True), 4),
    "lstm": lambda: Sequence(nn.LSTM(3, 4, batch_first=True), 4),
    "gru": lambda: Sequence(nn.GRU(3, 4, batch_first=True), 4),
    "embedding": lambda: Sequence(nn.Sequential(Tokens(), nn.Tanh()), 3),
    "embedding with padding": lambda: Sequence(nn.Sequential(Tokens(padding_idx=0), nn.Tanh()), 3),
    "write into a fresh tensor": lambda: Sequence(FreshTensor(), 3),
    "layer called twice": lambda: Sequence(Twice(), 3),
    "two layers with one weight": lambda: Sequence(TiedLinear(), 3),
    "tied embedding": lambda: Sequence(Tied(), 5),
    "parameters of no layer": lambda: Sequence(Bare(), 3),
    "weight used outside of its layer": lambda: Sequence(Penalised(), 3),
}

MIXED = {  # a sample has no gradient of its own
    "dropout": lambda: _classifier(nn.Linear(12, 3), nn.Dropout(0.5), nn.Tanh(), width=3),
    "batch norm": lambda: _classifier(nn.Linear(12, 3), nn.BatchNorm1d(3), width=3),
    "batch norm without running statistics": lambda: _classifier(
        nn.Linear(12, 3), nn.BatchNorm1d(3, track_running_stats=False), width=3
    ),
}

WITHOUT_VMAP = {"rnn", "lstm", "gru", "write into a fresh tensor"}  # torch.func.vmap has no rule for them


def network_with(name: str, dtype: torch.dtype | None = None) -> Network:
    """Return a classifier of 12 random samples (4, 3) with this layer."""
    rng = np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = (LAYERS | MIXED)[name]()
    data = (rng.normal(size=(12, 4, 3)), rng.integers(2, size=12))
    return Network(model, torch.nn.CrossEntropyLoss(), data, weight_decay=0.01, dtype=dtype)
