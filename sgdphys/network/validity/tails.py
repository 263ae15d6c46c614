"""Tails of minibatch noise along the leading directions, from per-sample gradients that are projected once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.analysis import tail_index

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from sgdphys.sgd import SGD

__all__ = ["tail_of_minibatches"]

_DRAWS = 4000
_BLOCK = 2**21  # numbers held at once


def tail_of_minibatches(samples: NDArray[np.float64], sgd: SGD, seed: int) -> xr.Dataset:
    """Return the tail index of the noise of minibatches at one point, over draws.

    Parameters
    ----------
    samples
        Centred per-sample gradients along the directions, (N, k), in loss/x.
    sgd
        Batch size and sampling; a shuffled epoch's batch is one without replacement.
    seed
        Of the batches.

    Returns
    -------
    xr.Dataset
        As :func:`sgdphys.analysis.tail_index` says, of 4000 batches.
    """
    generator = np.random.default_rng(seed)
    n_samples, size = len(samples), sgd.batch_size
    draws = np.empty((_DRAWS, samples.shape[1]))
    at_once = max(1, _BLOCK // max(size * samples.shape[1], 1 if sgd.sampling == "replacement" else n_samples))
    for first in range(0, _DRAWS, at_once):
        count = min(at_once, _DRAWS - first)
        if sgd.sampling == "replacement":
            rows = generator.integers(n_samples, size=(count, size))
        else:
            order = generator.random((count, n_samples))
            rows = np.argpartition(order, size - 1, axis=1)[:, :size]
        draws[first : first + count] = samples[rows].mean(axis=1)
    return tail_index(draws, seed=seed)
