"""Trading learning rate against batch size, stage by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sgdphys.schedules.data_order import steps_per_epoch

if TYPE_CHECKING:
    from sgdphys.sgd import SGD

__all__ = ["equivalent_stage"]


def equivalent_stage(
    number: int, stage: tuple[SGD, int], first: SGD, by: Literal["batch_size", "lr"]
) -> tuple[SGD, int]:
    """Return a stage of the same effective temperature and number of epochs.

    Parameters
    ----------
    number
        What messages call the stage.
    stage
        Settings and number of steps.
    first
        Settings of the first stage, whose learning rate (``by="batch_size"``) or batch size (``by="lr"``) is taken.
    by
        Which setting differs from the first stage in the result.

    Returns
    -------
    tuple
        Settings and number of steps.

    Raises
    ------
    ValueError
        There are no such settings, or no whole number of steps makes the same epochs.
    """
    sgd, n_steps = stage
    try:
        other = sgd.equivalent(lr=first.lr) if by == "batch_size" else sgd.equivalent(batch_size=first.batch_size)
    except ValueError as error:
        raise ValueError(f"stage {number}: {error}") from None
    # without the size of the data set the same epochs are the same number of samples
    old, new = (other.batch_size, sgd.batch_size) if sgd.n_samples is None else map(steps_per_epoch, (sgd, other))
    if n_steps * new % old:
        raise ValueError(
            f"stage {number}: {n_steps} steps of batch_size={sgd.batch_size} last as many epochs as "
            f"{n_steps * new / old:.6g} of batch_size={other.batch_size}, which is no whole number; use whole epochs"
        )
    return other, n_steps * new // old
