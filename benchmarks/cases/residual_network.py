"""ResNet-18 for small images (He, Zhang, Ren & Sun 2016, CVPR 770): 11.2 million parameters at width 64."""

from __future__ import annotations

import torch

from cases.network_problems import Problem

__all__ = ["residual_network"]

_STAGES = ((1, 1), (2, 2), (4, 2), (8, 2))  # channels over width, stride of the first block


class _Block(torch.nn.Module):
    """Two convolutions with batch normalisation beside a short cut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(before, after, 3, stride)
        self.second = _convolution(after, after, 3, 1)
        same = before == after and stride == 1
        self.short_cut = torch.nn.Identity() if same else _convolution(before, after, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + self.short_cut(x))


def _convolution(before: int, after: int, size: int, stride: int) -> torch.nn.Module:
    layer = torch.nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False)
    return torch.nn.Sequential(layer, torch.nn.BatchNorm2d(after))


def residual_network(width: int = 64) -> Problem:
    """Return the classifier of images (3, 32, 32), in eval mode with the batch statistics of random images."""

    def make() -> torch.nn.Module:
        layers: list[torch.nn.Module] = [_convolution(3, width, 3, 1), torch.nn.ReLU()]
        before = width
        for factor, stride in _STAGES:
            layers += [_Block(before, factor * width, stride), _Block(factor * width, factor * width, 1)]
            before = factor * width
        model = torch.nn.Sequential(
            *layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(before, 10)
        )
        with torch.no_grad():
            for _ in range(20):
                model(torch.randn(16, 3, 32, 32))
        return model.eval()

    return Problem(f"ResNet-18 of width {width} on 32x32, BatchNorm in eval mode", make, (3, 32, 32))
