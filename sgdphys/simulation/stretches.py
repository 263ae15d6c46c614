"""How far a run goes between two looks at progress, divergence and Ctrl-C."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sgdphys.simulation.lines import most_scheduled_steps
from sgdphys.simulation.request import Plan

__all__ = ["Stretches"]

SECONDS = 0.2
FRAME_BYTES_AT_ONCE = 2**25  # frames of a stretch that are held before they are kept
FIRST_GUESS = 1e-9  # seconds per particle-step and row, before the first measurement


class Stretches:
    """Cuts a run into stretches of about a fifth of a second, at the pace measured so far.

    Parameters
    ----------
    plan
        Its time axis.
    work
        Numbers of the state that one thread advances.
    frame_bytes
        Size of a frame that is held back before it is kept.
    """

    def __init__(self, plan: Plan, work: float, frame_bytes: int) -> None:
        self.last = plan.last
        self.noted = plan.timetable.all_steps()
        self.saved = plan.timetable.saved
        self.seconds_per_step = FIRST_GUESS * work
        dynamics = plan.request.dynamics
        self.most_steps = most_scheduled_steps(dynamics, plan.clock, plan.first) if dynamics.scheduled else plan.last
        self.frames_at_once = max(1, FRAME_BYTES_AT_ONCE // max(frame_bytes, 1))

    def after(self, step: int, *, fresh: bool) -> NDArray[np.int64]:
        """Return the steps to stop at in the next stretch, the last one being its end.

        Parameters
        ----------
        step
            The present step.
        fresh
            Whether something may still be noted at the present step itself.

        Returns
        -------
        NDArray
            The steps, int64, increasing.
        """
        first = step if fresh else step + 1
        end = min(step + min(max(1, int(SECONDS / self.seconds_per_step)), self.most_steps), self.last)
        last_frame = int(np.searchsorted(self.saved, first)) + self.frames_at_once - 1
        if last_frame < len(self.saved):
            end = min(end, int(self.saved[last_frame]))
        inside = self.noted[np.searchsorted(self.noted, first) : np.searchsorted(self.noted, end + 1)]
        return inside if len(inside) and inside[-1] == end else np.append(inside, end)

    def note(self, steps: int, seconds: float) -> None:
        """Learn the pace from a stretch; one that only noted the beginning tells nothing."""
        if steps:
            self.seconds_per_step = max(seconds, 1e-6) / steps
