"""Steps of an integrator on given deviates: the compiled step itself, with random numbers of the test's choice."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.integrators import ModifiedEquation, StochasticGradient, VarianceAmplifiedGradient
from sgdphys.kernels.blocks import PROGRAM
from sgdphys.kernels.compile import compile_function
from sgdphys.kernels.forces import copy_rows
from sgdphys.kernels.loop import set_settings
from sgdphys.kernels.source import FAST_MATH, source_text
from sgdphys.sgd import SGD
from sgdphys.simulation.dynamics import Dynamics, settle
from sgdphys.simulation.lines import settings_lines
from sgdphys.simulation.times import Clock

if TYPE_CHECKING:
    from sgdphys.kernels.steps import euler_maruyama_step as step_of
    from sgdphys.protocols import Integrator, Landscape, Noise

__all__ = ["Stepper", "at_step", "needs_sgd", "scheme_temperature", "stepper"]

Array = NDArray[np.float64]
LANES = 256
MATRIX = "float64[:, ::1]"
FIELDS = f"Tuple(({PROGRAM}, {PROGRAM}, {PROGRAM}, {PROGRAM}))"
SIGNATURE = (
    f"'void(float64[:, :, ::1], int64, {FIELDS}, {PROGRAM}, float32[:, :, :, ::1], {MATRIX}, int64, {MATRIX}, "
    f"{MATRIX}, Tuple(({MATRIX}, int64[:, ::1])), float64[::1], uint64[::1])'"
)


def advance_given(blocks, dim, fields, kick, normals, table, steps, before, after, scratch, settings, place):
    """Advance ``blocks`` (block, row, lane) by ``steps`` with ``normals`` (block, step, set * channel, lane)."""
    last = normals.shape[1] - 1
    for block in range(blocks.shape[0]):
        copy_rows(blocks[block], before)
        place[1] = np.uint64(block * blocks.shape[2])
        for k in range(len(settings)):
            settings[k] = table[0, k]
        for now in range(steps):
            set_settings(table, now, 0, settings)
            place[2] = np.uint64(now)
            more = (scratch[0], scratch[1], normals[block, min(now + 1, last)])
            step_of(before, after, dim, fields, kick, normals[block, now], settings, place, more)
            before, after = after, before
        copy_rows(before, blocks[block])


@functools.cache
def _compiled(step: Callable[..., None]) -> Any:
    text = source_text(advance_given, {"step_of": step})
    return compile_function("advance_given", SIGNATURE, FAST_MATH, text, lambda: text)


@dataclass(frozen=True)
class Stepper:
    """An integrator fitted to a problem, ready to be stepped with deviates that are given.

    Parameters
    ----------
    dynamics
        Landscape, noise, integrator, time step and temperature.
    """

    dynamics: Dynamics

    @property
    def rows(self) -> int:
        """Rows of the state."""
        return self.dynamics.rows

    @property
    def sets(self) -> int:
        """Deviates of a step for each channel of the noise."""
        return self.dynamics.integrator.deviates_per_channel

    @property
    def ahead(self) -> int:
        """1 where a step also reads the deviates of the next one."""
        return self.dynamics.integrator.ahead

    @functools.cached_property
    def _table(self) -> Array:
        return settings_lines(self.dynamics, Clock(self.dynamics.dt), 0, 1)

    def advance(self, state: Array, normals: Array) -> Array:
        """Advance many states, each with its own deviates.

        Parameters
        ----------
        state
            Shape (row, lane).
        normals
            Deviates, shape (step, set * channel, lane); with ``ahead`` those of the step after the last one too. They
            are rounded to float32, as the engine's are.

        Returns
        -------
        Array
            The states after all steps, shape (row, lane).
        """
        programs = self.dynamics.programs(0)
        lanes = state.shape[1]
        blocks, deviates = _in_blocks(state), _in_blocks(normals.astype(np.float32))
        before, after = np.empty((2, self.rows, LANES))
        scratch = (np.empty((programs.work_rows, LANES)), np.empty((4, LANES), np.int64))
        _compiled(programs.step)(
            blocks, programs.dim, tuple(map(tuple, programs.fields)), tuple(programs.kick), deviates, self._table,
            len(normals) - programs.ahead, before, after, scratch, np.empty(self._table.shape[1]),
            np.zeros(3, np.uint64),
        )  # fmt: skip
        return np.moveaxis(blocks, 0, -2).reshape(self.rows, -1)[:, :lanes]


def stepper(
    integrator: Integrator, landscape: Landscape, noise: Noise | None, *, temperature: float, dt: float
) -> Stepper:
    """Return the integrator fitted to landscape and noise, as ``simulate`` fits it.

    The maps of SGD get dt times their substeps as learning rate, and the batch size lr/(2 T), which must be whole.

    Parameters
    ----------
    integrator, landscape, noise, temperature, dt
        As in ``simulate``.

    Returns
    -------
    Stepper
        With the compiled step.

    Raises
    ------
    ValueError
        The integrator does not solve this problem.
    """
    if not needs_sgd(integrator):
        return Stepper(settle(landscape, noise, None, temperature, dt, integrator))
    lr = dt * getattr(integrator, "substeps", 1)
    return Stepper(
        settle(landscape, noise, SGD(lr=lr, batch_size=round(lr / (2 * temperature))), None, None, integrator)
    )


def needs_sgd(integrator: Any) -> bool:
    """Return whether the integrator takes learning rate and batch size instead of time step and temperature."""
    return isinstance(integrator, StochasticGradient | VarianceAmplifiedGradient | ModifiedEquation)


def at_step(integrator: Any, dt: float) -> Any:
    """Return the integrator for a time step; what is given may be a function of dt."""
    return integrator(dt) if isinstance(integrator, FunctionType) else integrator


def scheme_temperature(integrator: Any, temperature: float, smallest: float) -> float:
    """Return T of a problem; for maps of SGD that of one sample at the smallest learning rate."""
    return smallest / 2 if needs_sgd(at_step(integrator, smallest)) else temperature


def _in_blocks(values: NDArray[Any]) -> NDArray[Any]:
    """Return (..., lane) as (block, ..., lane of the block), the last lane repeated to fill the last block."""
    missing = -values.shape[-1] % LANES
    padded = np.concatenate([values, np.repeat(values[..., -1:], missing, axis=-1)], axis=-1)
    blocks = padded.reshape(*values.shape[:-1], -1, LANES)
    return np.ascontiguousarray(np.moveaxis(blocks, -2, 0))
