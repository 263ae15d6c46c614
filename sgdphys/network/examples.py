"""Networks that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from sgdphys import data
from sgdphys.checks import whole_number
from sgdphys.network.problem import Network

if TYPE_CHECKING:
    from sgdphys.data import LabelledSplit

__all__ = ["digits_network", "image_network"]

_IMAGES = {"mnist": data.mnist, "fashion-mnist": data.fashion_mnist, "cifar10": data.cifar10}


def digits_network(
    hidden: int = 12,
    weight_decay: float = 5e-3,
    seed: int = 0,
    n_train: int = 1200,
    device: torch.device | str | None = None,
) -> Network:
    """Return a small classifier of the bundled handwritten digits, at random weights.

    64 pixels, one hidden layer of tanh units, 10 classes, cross-entropy; with the defaults d = 910 parameters and N =
    1200 images. Weight decay confines it: without, the loss of separable classes has no minimum and the cloud no
    stationary state.

    Parameters
    ----------
    hidden
        Number of hidden units.
    weight_decay
        Coefficient wd of (wd/2)|x|^2.
    seed
        Seed of the starting weights (torch's default initialisation); the global generator is left as it was.
    n_train
        Number of training images, see :func:`sgdphys.data.digits`.
    device
        torch device; default the CPU.

    Returns
    -------
    Network
        The untrained network; ``.minimum()`` trains it.
    """
    split = data.digits(n_train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = torch.nn.Sequential(torch.nn.Linear(64, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 10))
    return Network(
        model,
        torch.nn.CrossEntropyLoss(),
        (split.train_inputs, split.train_labels),
        weight_decay=weight_decay,
        device=device,
    )


def image_network(
    images: Literal["mnist", "fashion-mnist", "cifar10"] = "mnist",
    kind: Literal["perceptron", "convolution"] = "perceptron",
    *,
    hidden: int = 64,
    weight_decay: float = 5e-3,
    seed: int = 0,
    n_train: int = 2000,
    size: int = 14,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Network:
    """Return a smooth classifier of a well-known image set, at random weights.

    ``"perceptron"``: one hidden layer of tanh units. ``"convolution"``: two convolutions of 3x3, each followed by tanh
    and an average over blocks of 2x2, and a linear layer; 8 and 16 channels. Both with cross-entropy over 10 classes.

    Parameters
    ----------
    images
        Which set; its files are found through ``SGDPHYS_DATA``, see :mod:`sgdphys.data`.
    kind
        The architecture.
    hidden
        Hidden units of the perceptron.
    weight_decay
        Coefficient wd of (wd/2)|x|^2.
    seed
        Seed of the starting weights (torch's default initialisation); the global generator is left as it was.
    n_train
        Number of training images, the first of the set.
    size
        Pixels along an edge of MNIST and Fashion-MNIST: 28, 14 or 7; CIFAR-10 has 32.
    device, dtype
        As for ``Network``.

    Returns
    -------
    Network
        The untrained network; ``.minimum()`` trains it.

    Raises
    ------
    ValueError
        No such set or architecture.
    """
    if images not in _IMAGES:
        raise ValueError(f"images must be one of {', '.join(_IMAGES)}, got {images!r}")
    if kind not in {"perceptron", "convolution"}:
        raise ValueError(f"kind must be 'perceptron' or 'convolution', got {kind!r}")
    split: LabelledSplit = data.cifar10(n_train) if images == "cifar10" else _IMAGES[images](n_train, size=size)  # type: ignore[call-arg]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _classifier(kind, split.train_inputs.shape[1:], whole_number("hidden", hidden))
    return Network(
        model,
        torch.nn.CrossEntropyLoss(),
        (split.train_inputs, split.train_labels),
        weight_decay=weight_decay,
        device=device,
        dtype=dtype,
    )


def _classifier(kind: str, shape: tuple[int, ...], hidden: int) -> torch.nn.Module:
    channels, edge = shape[0], shape[1]
    if kind == "perceptron":
        return torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(channels * edge**2, hidden),
            torch.nn.Tanh(),
            torch.nn.Linear(hidden, 10),
        )
    blocks: list[torch.nn.Module] = []
    for before, after in ((channels, 8), (8, 16)):
        blocks += [torch.nn.Conv2d(before, after, 3, padding=1), torch.nn.Tanh(), torch.nn.AvgPool2d(2)]
    return torch.nn.Sequential(*blocks, torch.nn.Flatten(), torch.nn.Linear(16 * (edge // 4) ** 2, 10))
