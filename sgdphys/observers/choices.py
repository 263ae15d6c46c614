"""Which coordinates an observer looks at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sgdphys.observers.observation import Run

__all__ = ["coordinate_numbers"]


def coordinate_numbers(chosen: Sequence[int | str], run: Run) -> list[int]:
    """Return the numbers of coordinates given by number or name.

    Parameters
    ----------
    chosen
        Numbers from 0 on, or names.
    run
        The run whose coordinates they are.

    Returns
    -------
    list
        Their numbers.

    Raises
    ------
    ValueError
        There is none chosen, one is not there, or one is there twice.
    """
    numbers = [_number(item, run) for item in chosen] if isinstance(chosen, (list, tuple, str, np.ndarray)) else []
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"an observer needs a list of coordinates, each of them once, got {chosen!r:.60}")
    return numbers


def _number(item: object, run: Run) -> int:
    if isinstance(item, str) and item in run.coordinate_names:
        return run.coordinate_names.index(item)
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool) and 0 <= item < run.dim:
        return int(item)
    known = ", ".join(run.coordinate_names[:9])
    rule = f"an observer's coordinate must be one of {known} or 0 to {run.dim - 1}"
    raise ValueError(f"{rule}, got {item!r:.60}; velocities are in saved frames only")
