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
_FEWEST_VALUES = 20  # of the size of the noise along a direction; sums of fewer are exactly 0 now and then
_SAME = 1e-9  # relative difference of sizes that is rounding
_BLOCK = 2**21  # numbers held at once


def tail_of_minibatches(samples: NDArray[np.float64], sgd: SGD, seed: int) -> xr.Dataset | None:
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
    xr.Dataset or None
        As :func:`sgdphys.analysis.tail_index` says, of 4000 batches, along the directions where the noise takes more
        than a few values; None if there are none.
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
    sizes = np.sort(np.abs(draws), axis=0)
    gaps = np.count_nonzero(np.diff(sizes, axis=0) > _SAME * sizes[-1], axis=0)
    varied = gaps >= _FEWEST_VALUES
    try:
        return tail_index(draws[:, varied], seed=seed) if varied.any() else None
    except ValueError:  # a lattice in all directions
        return None
