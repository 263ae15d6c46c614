"""When an observer of time lags looks, and what it then does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import finite_number, number_array, whole_number
from sgdphys.observers.choices import coordinate_numbers
from sgdphys.observers.naming import NamedObserver
from sgdphys.observers.observation import Run, Timing

__all__ = ["LagPlan", "LaggedObserver"]

Steps = NDArray[np.int64]
MOST_LAGS = 10**6
LATER = 2**62  # the step of times that are later than any run
NOTE = -1  # instead of a table row: note the state at the origin


@dataclass(frozen=True)
class LagPlan:
    """Absolute steps: ``origins`` (origin,), and ``ends`` (origin, lag), those that lie a lag after an origin."""

    origins: Steps
    ends: Steps

    @property
    def steps(self) -> Steps:
        """All steps at which something is to be done, rising."""
        return np.unique(np.concatenate([self.origins, self.ends.ravel()]))

    def tasks(self) -> tuple[Steps, Steps]:
        """Return where the tasks of each step begin, and the tasks: pairs of origin and table row."""
        origins, lags = self.ends.shape
        who = np.concatenate([np.arange(origins), np.repeat(np.arange(origins), lags)])
        what = np.concatenate([np.full(origins, NOTE), np.arange(origins * lags)])
        row = np.searchsorted(self.steps, np.concatenate([self.origins, self.ends.ravel()]))
        order = np.argsort(row, kind="stable")  # origins come first, so that a lag of 0 finds its origin
        begins = np.searchsorted(row[order], np.arange(len(self.steps) + 1))
        return begins, np.stack([who, what], axis=1)[order]


@dataclass(frozen=True)
class LaggedObserver(NamedObserver):
    """An observer of lags after one or several origins; the common part of two of them."""

    lags: int | ArrayLike = 32
    origin: float | Sequence[float] | None = None
    coordinates: Sequence[int | str] | None = None

    _with_zero = False  # whether a number of lags includes the lag 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.lags, (list, tuple)) and np.ndim(self.lags) == 0:
            number = whole_number("lags, a number unless it is a list of times,", np.asarray(self.lags).item())
            if number > MOST_LAGS:
                raise ValueError(f"lags must be at most {MOST_LAGS}, got {number}")
        else:
            lags = number_array("lags", self.lags)
            if lags.ndim != 1 or not len(lags):
                raise ValueError(f"lags must be a number of lags or a list of times, got the shape {lags.shape}")
            for lag in lags:
                finite_number("a lag", lag, sign="not negative")
        for time in [] if self.origin is None else np.ravel(self.origin):
            finite_number("origin, a time or a list of times,", time)

    def steps(self, first: int, last: int, clock: Timing) -> Steps:
        """Return the absolute steps at which the observer looks."""
        return self.plan(first, last, clock).steps

    def plan(self, first: int, last: int, clock: Timing) -> LagPlan:
        """Return origins and lags as absolute steps.

        Parameters
        ----------
        first, last
            The run's first and last step.
        clock
            Its clock.

        Returns
        -------
        LagPlan
            The steps.

        Raises
        ------
        ValueError
            An origin or a lag lies outside the run.
        """
        origins = np.array([first]) if self.origin is None else np.unique(_nearest(self.origin, clock))
        longest = last - int(origins.max(initial=first))
        if len(origins) == 0 or origins.min() < first or longest < (not self._with_zero):
            raise ValueError(
                f"origin must lie in the run, from {clock.time(first):g} to before {clock.time(last):g}, "
                f"got {self.origin!r:.60}"
            )
        if np.ndim(self.lags) == 0:
            ends = origins[:, np.newaxis] + self._spread(int(np.asarray(self.lags)), longest)
        else:
            lags = np.unique(np.asarray(self.lags, dtype=np.float64))
            ends = np.stack([_nearest(clock.time(int(step)) + lags, clock) for step in origins])
        if ends.max(initial=first) > last:
            raise ValueError(
                f"origin and lag must end by the end of the run at {clock.time(last):g}, "
                f"got up to {clock.time(int(origins.max())) + np.max(self.lags):g}"
            )
        return LagPlan(origins, ends)

    def _spread(self, count: int, longest: int) -> Steps:
        """Return about that many numbers of steps, logarithmically spaced up to the longest."""
        lags = np.geomspace(1, longest, count) if longest else np.zeros(0)
        return np.unique(np.round(np.concatenate([[0.0] * self._with_zero, lags])).astype(np.int64))

    def chosen(self, run: Run) -> list[int]:
        """Return the numbers of the coordinates that are looked at."""
        return list(range(run.dim)) if self.coordinates is None else coordinate_numbers(self.coordinates, run)

    def parameters(self, run: Run, plan: LagPlan) -> NDArray[np.float64]:
        """Return the parameters as ``kernels.lagging`` reads them."""
        begins, tasks = plan.tasks()
        chosen = self.chosen(run)
        numbers = [run.dim, run.bound, len(chosen), *chosen, len(plan.steps)]
        return np.concatenate([numbers, begins, tasks.ravel()]).astype(np.float64)

    def axes(self, run: Run, plan: LagPlan, prefix: str) -> dict[str, tuple[tuple[str, ...], Any]]:
        """Return the times of the origins and the lags as variables; with a schedule those after the first origin."""
        origins = np.asarray(run.clock.time(plan.origins))
        lags = np.asarray(run.clock.time(plan.ends[0])) - origins[0]
        names = f"{prefix}_origin", f"{prefix}_lag"
        return {name: ((name,), values) for name, values in zip(names, (origins, lags), strict=True)}


def _nearest(times: ArrayLike, clock: Timing) -> Steps:
    steps = [round(clock.steps(float(time))) for time in np.ravel(times)]
    return np.array([min(max(step, -1), LATER) for step in steps], dtype=np.int64)
