"""Where in an epoch's order of the data the batches of a schedule lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.sgd import SGD

    Counts = NDArray[np.int64]

__all__ = ["samples_of", "stage_beginnings", "steps_per_epoch", "within_stage"]


def samples_of(sgd: SGD) -> int:
    """Return the size of the data set; ValueError when the settings do not know it."""
    if sgd.n_samples is None:
        raise ValueError("epochs need the size of the data set: give SGD(..., n_samples=)")
    return sgd.n_samples


def steps_per_epoch(sgd: SGD) -> int:
    """Return n_samples // batch_size: the last short batch of an epoch is dropped."""
    return samples_of(sgd) // sgd.batch_size


def within_stage(
    epochs: Counts, offsets: Counts, steps: Counts, sizes: Counts, n_samples: int
) -> tuple[Counts, Counts]:
    """Return epoch and first position of the batch that is drawn ``steps`` steps after a place in the data order.

    Parameters
    ----------
    epochs, offsets
        The place: epoch, and samples of it that are used up.
    steps
        Steps of the stage before the one asked for.
    sizes
        Batch sizes.
    n_samples
        Size of the data set.

    Returns
    -------
    tuple
        Epochs and positions, int64; the arguments broadcast.
    """
    fitting = (n_samples - offsets) // sizes  # batches that the epoch under way still holds
    later, per_epoch = steps - fitting, n_samples // sizes
    under_way = later < 0
    return (
        np.where(under_way, epochs, epochs + 1 + later // per_epoch),
        np.where(under_way, offsets + steps * sizes, (later % per_epoch) * sizes),
    )


def stage_beginnings(sizes: Counts, lengths: Counts, n_samples: int) -> tuple[Counts, Counts]:
    """Return the place in the data order at which each stage begins.

    Parameters
    ----------
    sizes, lengths
        Batch size and number of steps of each stage.
    n_samples
        Size of the data set.

    Returns
    -------
    tuple
        Epochs and numbers of used-up samples, int64 (stage,).
    """
    epoch, offset, places = 0, 0, []
    for size, length in zip(sizes.tolist(), lengths.tolist(), strict=True):
        places.append((epoch, offset))
        last_of_epoch = (n_samples - offset) // size
        if length <= last_of_epoch:
            offset += length * size
        else:
            further, row = divmod(length - last_of_epoch - 1, n_samples // size)
            epoch, offset = epoch + 1 + further, (row + 1) * size
    epochs, offsets = np.array(places, dtype=np.int64).T
    return epochs, offsets
