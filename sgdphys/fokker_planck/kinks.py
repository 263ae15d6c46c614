"""The times at which a schedule jumps or bends, where no time step may pass over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.schedules import Cyclic, Steps

if TYPE_CHECKING:
    from sgdphys.protocols import Array

__all__ = ["kinks_between"]


def kinks_between(schedule: Any, begin: float, end: float) -> Array:
    """Return the times strictly between two others at which a schedule is not smooth, as far as it tells.

    An error estimate looks at a few times of a step; a jump or a pulse between them goes unseen. The curves of
    :mod:`sgdphys.schedules` tell where theirs are; of a function of time nothing is known.

    Parameters
    ----------
    schedule
        A schedule, checked or not.
    begin, end
        Times.

    Returns
    -------
    Array
        Rising times.
    """
    curve = getattr(schedule, "curve", schedule)
    if isinstance(curve, Steps):
        places = np.array(curve.times)
    elif isinstance(curve, Cyclic):
        half = curve.period / 2
        places = half * np.arange(np.floor(begin / half), np.ceil(end / half) + 1)
    else:
        places = np.array([getattr(curve, name) for name in ("begin", "end") if hasattr(curve, name)], dtype=np.float64)
    return np.asarray(places[(places > begin) & (places < end)], dtype=np.float64)
