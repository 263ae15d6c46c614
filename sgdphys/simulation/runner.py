"""One run: memory or store, stretches, progress, divergence, and the Dataset at the end."""

from __future__ import annotations

import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.errors import DivergenceWarning
from sgdphys.kernels.philox import key_of
from sgdphys.observers.observation import Run
from sgdphys.simulation.divergence import Divergence
from sgdphys.simulation.engine import Ensemble, available_threads, choose_width, results
from sgdphys.simulation.frames import Frames, open_frames
from sgdphys.simulation.request import Plan, Request, plan

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["run"]

STRETCH_SECONDS = 0.2  # between two looks at progress, divergence and Ctrl-C
FRAME_BYTES_AT_ONCE = 2**27  # frames of a stretch that are held before they are stored
FIRST_GUESS = 1e-9  # seconds per particle-step and row, before the first measurement


def run(request: Request) -> xr.Dataset:
    """Carry out a request; see ``simulate``."""
    planned = plan(request)
    threads = request.threads or available_threads()
    frames = open_frames(planned)
    if frames.complete:
        return frames.dataset()
    ensemble = _ensemble(planned, threads)
    divergence = Divergence(ensemble, request.dynamics)
    with frames, ThreadPoolExecutor(threads) as pool:
        _advance(planned, ensemble, frames, divergence, pool, threads)
        observed = results(ensemble, request.dynamics.dt)
        frames.finish({**observed, "diverged": (("particle",), divergence.marked)})
    if divergence.marked.any():
        warnings.warn(divergence.message(), DivergenceWarning, stacklevel=4)
    return frames.dataset()


def _ensemble(planned: Plan, threads: int) -> Ensemble:
    request, dynamics = planned.request, planned.request.dynamics
    programs = dynamics.programs(key_of(request.seed, *request.point))
    width = choose_width(len(planned.state), programs.rows, programs.channels, threads, request.block_size)
    description = Run(
        dim=dynamics.dim,
        coordinate_names=tuple(dynamics.coordinate_names),
        dt=dynamics.dt,
        temperature=dynamics.temperature,
        noise=dynamics.noise,
        n_particles=len(planned.state),
        overdamped=dynamics.rows == dynamics.dim,
    )
    observations = [observer.observe(description) for observer in request.observers]
    return Ensemble(planned.state, width, programs, observations, planned.timetable)


def _advance(
    planned: Plan, ensemble: Ensemble, frames: Frames, divergence: Divergence, pool: ThreadPoolExecutor, threads: int
) -> None:
    step, fresh = frames.recover(ensemble, planned.first)
    stretches = Stretches(planned, work=ensemble.blocks.size / threads, row_bytes=frames.frame_bytes)
    tasks = 1 if threads == 1 else 4 * threads
    with _progress(planned, step) as bar:
        while step < planned.last:
            steps = stretches.after(step, fresh=fresh)
            out, first_frame = frames.room(steps)
            started = time.monotonic()
            ensemble.advance(pool, tasks, step, steps, out, first_frame)
            stretches.note(int(steps[-1]) - step, time.monotonic() - started)
            bar.update((int(steps[-1]) - step) * ensemble.n_particles)
            step, fresh = int(steps[-1]), False
            divergence.look(step)
            frames.keep(out, ensemble, step)


def _progress(planned: Plan, step: int) -> Any:
    from tqdm.auto import tqdm

    shown = planned.request.progress
    return tqdm(
        total=(planned.last - planned.first) * len(planned.state),
        initial=(step - planned.first) * len(planned.state),
        disable=None if shown is None else not shown,
        unit="particle-step",
        unit_scale=True,
        delay=0 if shown else 1,
        desc="simulate",
    )


class Stretches:
    """Cuts the run into stretches of about a fifth of a second, at the pace measured so far."""

    def __init__(self, planned: Plan, work: float, row_bytes: int) -> None:
        self.last = planned.last
        self.noted = planned.timetable.all_steps()
        self.saved = planned.timetable.saved
        self.seconds_per_step = FIRST_GUESS * work
        self.frames_at_once = max(1, FRAME_BYTES_AT_ONCE // max(row_bytes, 1))

    def after(self, step: int, *, fresh: bool) -> NDArray[np.int64]:
        """Return the steps to look at in the next stretch, the last one being its end; ``fresh``: the present step counts too."""
        end = min(step + max(1, int(STRETCH_SECONDS / self.seconds_per_step)), self.last)
        upcoming = self.saved[self.saved > step][: self.frames_at_once]
        if len(upcoming) == self.frames_at_once:
            end = min(end, int(upcoming[-1]))
        inside = self.noted[(self.noted >= step if fresh else self.noted > step) & (self.noted <= end)]
        return inside if len(inside) and inside[-1] == end else np.append(inside, end)

    def note(self, steps: int, seconds: float) -> None:
        """Learn the pace from a stretch."""
        self.seconds_per_step = max(seconds, 1e-6) / max(steps, 1)
