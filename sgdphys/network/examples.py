"""Networks that come with the package."""

from __future__ import annotations

import torch

from sgdphys import data
from sgdphys.network.problem import Network

__all__ = ["digits_network"]


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
