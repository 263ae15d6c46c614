"""One run: memory or store, stretches, progress, divergence, and the Dataset at the end."""

from __future__ import annotations

import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.errors import DivergenceWarning
from sgdphys.kernels.philox import key_of
from sgdphys.observers.observation import Run, Variables
from sgdphys.simulation.divergence import Divergence
from sgdphys.simulation.engine import Ensemble, available_threads, choose_width, results
from sgdphys.simulation.frames import Frames
from sgdphys.simulation.lines import settings_lines
from sgdphys.simulation.memory_frames import MemoryFrames
from sgdphys.simulation.progress import progress_bar
from sgdphys.simulation.request import Plan, Request, plan
from sgdphys.simulation.store_frames import StoreFrames
from sgdphys.simulation.stretches import Stretches

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["run"]


def run(request: Request) -> xr.Dataset:
    """Carry out a request; see ``simulate``."""
    planned = plan(request)
    store = request.store
    frames: Frames = MemoryFrames(planned) if store is None else StoreFrames(planned, Path(store))
    if not frames.complete:
        lost = _Runner(planned, frames).go()
        if lost is not None:
            warnings.warn(lost, DivergenceWarning, stacklevel=3)  # 3: the line that calls simulate
    return frames.dataset()


class _Runner:
    """Advances an ensemble to its end and hands its frames over."""

    def __init__(self, planned: Plan, frames: Frames) -> None:
        self.planned = planned
        self.frames = frames
        self.threads = planned.request.threads or available_threads()
        self.ensemble = _ensemble(planned, self.threads)
        self.divergence = Divergence(self.ensemble, planned.request.dynamics, planned.clock, planned.state)
        self.step = planned.first

    def go(self) -> str | None:
        """Run to the end; return what to say of particles that left for infinity."""
        with self.frames, ThreadPoolExecutor(self.threads) as pool:
            checkpoint = self.frames.begin(self._ending())
            if checkpoint is not None:
                self._restore(checkpoint)
            self._advance(pool, fresh=checkpoint is None)
            self.frames.finish(self._ending())
        return self.divergence.message() if self.divergence.count else None

    def _advance(self, pool: ThreadPoolExecutor, *, fresh: bool) -> None:
        stretches = Stretches(self.planned, self.ensemble.blocks.size / self.threads, self.frames.frame_bytes)
        particles, first = self.ensemble.n_particles, self.planned.first
        total, done = (self.planned.last - first) * particles, (self.step - first) * particles
        shown = self.planned.request.progress
        with progress_bar("simulate", total, "particle-steps", shown=shown, initial=done) as bar:
            while self.step < self.planned.last:
                steps = stretches.after(self.step, fresh=fresh)
                taken = int(steps[-1]) - self.step
                count = int(np.isin(steps, self.planned.timetable.saved).sum())
                out, first_frame = self.frames.room(count)
                started = time.monotonic()
                lines = settings_lines(self.planned.request.dynamics, self.planned.clock, self.step, int(steps[-1]))
                self.ensemble.advance(pool, self.step, steps, lines, out, first_frame)
                stretches.note(taken, time.monotonic() - started)
                self.step, fresh = self.step + taken, False
                self.divergence.look(self.step)
                finite = not self.divergence.marked.any()
                self.frames.keep(out, count, finite=finite, checkpoint=self._checkpoint)
                bar.update(taken * self.ensemble.n_particles)

    def _ending(self) -> Variables:
        observed = results(self.ensemble, self.planned.clock)
        return {**observed, "diverged": (("particle",), self.divergence.marked)}

    def _checkpoint(self) -> dict[str, NDArray[Any]]:
        return {**self.ensemble.checkpoint(), **self.divergence.checkpoint(), "step": np.array(self.step)}

    def _restore(self, checkpoint: dict[str, NDArray[Any]]) -> None:
        self.ensemble.restore(checkpoint)
        self.divergence.restore(checkpoint)
        self.step = int(checkpoint["step"])


def _ensemble(planned: Plan, threads: int) -> Ensemble:
    request, dynamics = planned.request, planned.request.dynamics
    programs = dynamics.programs(key_of(request.seed, *request.point))
    width = choose_width(
        len(planned.state), programs.rows + programs.work_rows // 2, programs.channels, threads, request.block_size
    )
    description = Run(
        dim=dynamics.dim,
        coordinate_names=tuple(dynamics.coordinate_names),
        rows=dynamics.rows,
        landscape=dynamics.landscape,
        noise=dynamics.noise,
        temperature=dynamics.temperature,
        first=planned.first,
        last=planned.last,
        clock=planned.clock,
        n_particles=len(planned.state),
        bound=planned.bound,
        weight_decay=dynamics.sgd.weight_decay if dynamics.sgd else 0.0,
        of_sgd=dynamics.sgd is not None,
        independent_kicks=not dynamics.integrator.ahead,
    )
    observations = [observer.observe(description) for observer in request.observers]
    tasks = 1 if threads == 1 else 4 * threads
    return Ensemble(planned.state, width, programs, observations, planned.timetable, planned.bound, tasks)
