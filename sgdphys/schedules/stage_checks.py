"""What the stages of a schedule must be."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.checks import whole_number
from sgdphys.sgd import SGD

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["VARYING", "as_stages", "as_step_numbers"]

VARYING = ("lr", "batch_size")  # settings that may differ between stages
_EXAMPLE = "(SGD(lr=0.1, batch_size=8), 1000)"


def as_stages(stages: Any, unit: str) -> tuple[tuple[SGD, int], ...]:
    """Return pairs of settings and lengths, checked.

    Parameters
    ----------
    stages
        What the user gave.
    unit
        What messages call the lengths.

    Returns
    -------
    tuple
        Pairs of SGD and int.

    Raises
    ------
    ValueError
        There is none, one is no such pair, or other settings than learning rate and batch size change.
    """
    if not hasattr(stages, "__iter__") or isinstance(stages, (str, dict)):
        raise ValueError(f"stages must be a list of pairs such as {_EXAMPLE}, got {stages!r:.60}")
    checked = tuple(_stage(number, stage, unit) for number, stage in enumerate(stages, start=1))
    if not checked:
        raise ValueError(f"a schedule needs at least one stage, a pair such as {_EXAMPLE}")
    for number, (sgd, _) in enumerate(checked, start=1):
        _refuse_change(checked[0][0], sgd, number)
    return checked


def _stage(number: int, stage: Any, unit: str) -> tuple[SGD, int]:
    if not (isinstance(stage, (tuple, list)) and len(stage) == 2 and isinstance(stage[0], SGD)):
        raise ValueError(f"stage {number} must be a pair such as {_EXAMPLE}, got {stage!r:.80}")
    return stage[0], whole_number(f"{unit} of stage {number}", stage[1])


def _refuse_change(first: SGD, sgd: SGD, number: int) -> None:
    for name in (field.name for field in fields(SGD)):
        values = getattr(first, name), getattr(sgd, name)
        if name not in VARYING and values[0] != values[1]:
            raise ValueError(
                f"only lr and batch_size may change, but {name} is {values[0]!r} in stage 1 and {values[1]!r} in "
                f"stage {number}; give all stages the same {name}"
            )


def as_step_numbers(steps: ArrayLike, last: int) -> NDArray[np.int64]:
    """Return absolute step numbers as int64.

    Parameters
    ----------
    steps
        Whole numbers, any shape.
    last
        The largest that is allowed.

    Returns
    -------
    NDArray
        The same numbers.

    Raises
    ------
    ValueError
        One is not whole, negative, or too large.
    """
    numbers = np.asarray(steps)
    if numbers.dtype.kind not in "iu" and not (numbers.dtype.kind == "f" and np.all(numbers == np.floor(numbers))):
        raise ValueError(f"steps must be whole numbers, got {steps!r:.60}")
    if numbers.size and not 0 <= numbers.min() <= numbers.max() <= last:
        wrong = numbers.min() if numbers.min() < 0 else numbers.max()
        raise ValueError(f"steps must lie between 0 and {last}, where the schedule ends, got {wrong:g}; add a stage")
    return numbers.astype(np.int64)
