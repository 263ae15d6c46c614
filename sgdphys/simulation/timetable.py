"""At which steps a run stops to save or observe, and where what is noted goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Timetable"]


@dataclass(frozen=True)
class Timetable:
    """Steps at which something is noted: ``saved`` frames, and for each observer its own."""

    saved: NDArray[np.int64]
    observed: tuple[NDArray[np.int64], ...]

    def all_steps(self) -> NDArray[np.int64]:
        """Return every step at which something is noted, increasing."""
        return np.unique(np.concatenate([self.saved, *self.observed])).astype(np.int64)

    def rows(self, steps: NDArray[np.int64], first_frame: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where ``steps`` go, -1 for nowhere.

        Parameters
        ----------
        steps
            Steps to stop at.
        first_frame
            Number of the first frame of the array for saved frames.

        Returns
        -------
        tuple
            Rows among the saved frames, and (observer, step) rows in each observer's table.
        """
        saved = _positions(steps, self.saved)
        saved[saved >= 0] -= first_frame
        observed = np.array([_positions(steps, own) for own in self.observed], dtype=np.int64)
        return saved, observed.reshape(len(self.observed), len(steps))


def _positions(steps: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(own):
        return np.full(len(steps), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(own, steps), len(own) - 1)
    return np.where(own[place] == steps, place, -1)
