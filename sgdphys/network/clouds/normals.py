"""Normal numbers of replicas from counters: the same for any grouping, on every device to rounding."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from sgdphys.kernels.philox import STREAMS
from sgdphys.network.clouds.indices import counter_words

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.clouds.indices import Key

__all__ = ["counter_normals"]

_WORDS = 2.0**32


def counter_normals(key: Key, step: int, replicas: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    r"""Return standard normals of one step, (replica, count).

    Box and Muller's transform of pairs of 32-bit words w, :math:`\sqrt{-2 \ln u_1}\,(\cos 2\pi u_2, \sin 2\pi u_2)`
    with u = (w + 1/2)/2^32, in float64; the largest possible value is 6.76.

    Parameters
    ----------
    key
        64-bit key, or one for each replica of the cloud.
    step
        Absolute number of the step.
    replicas
        Numbers of the replicas.
    count
        Normals per replica, below 2^26.
    dtype
        Floating type of the result.

    Returns
    -------
    Tensor
        Independent between replicas, steps and places.

    References
    ----------
    Box & Muller 1958, Ann. Math. Stat. 29, 610.
    """
    steps = torch.tensor([step], device=replicas.device)
    words = counter_words(key, STREAMS["network_kick"], steps, replicas, 2 * -(-count // 2))[0]
    uniform = (words.to(torch.float64) + 0.5) / _WORDS
    radius = (-2 * uniform[:, 0::2].log()).sqrt()
    angle = 2 * math.pi * uniform[:, 1::2]
    pairs = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
    return pairs.flatten(1)[:, :count].to(dtype)
