"""A sweep with everything worked out that its points share: the door where its arguments are checked."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.noises import Isotropic
from sgdphys.simulation.dynamics import settle
from sgdphys.simulation.starts import starting_positions
from sgdphys.simulation.times import last_step, saved_steps
from sgdphys.sweeps.scales import suggested_time_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from sgdphys.fokker_planck import Grid
    from sgdphys.protocols import Landscape, Noise

__all__ = ["Keep", "SweepPlan", "distinct"]

Keep = Literal["summary", "cloud"]
_FEWEST_PARTICLES = 10  # below, the estimators of entropy have nothing to work with


@dataclass(frozen=True)
class SweepPlan:
    """Arguments of a sweep, checked; ``steps`` are the saved ones."""

    landscape: Landscape
    noise: Noise
    temperatures: tuple[float, ...]
    seeds: tuple[int, ...]
    dt: float
    steps: NDArray[np.int64]
    n_particles: int
    start: Any
    keep: Keep
    storage: Literal["float64", "float32"]
    grid: Grid | None
    threads: int | None

    def __post_init__(self) -> None:
        if self.keep not in ("summary", "cloud"):
            raise ValueError(f"keep must be 'summary' or 'cloud', got {self.keep!r}")
        if self.storage not in ("float64", "float32"):
            raise ValueError(f"storage must be 'float64' or 'float32', got {self.storage!r}")
        if int(self.n_particles) != self.n_particles or self.n_particles < _FEWEST_PARTICLES:
            raise ValueError(
                f"n_particles must be a whole number of at least {_FEWEST_PARTICLES}, got {self.n_particles}"
            )
        if len(self.steps) < 1:
            raise ValueError("save_at must name at least one frame, got none")
        if isinstance(self.start, xr.Dataset):
            raise ValueError(
                "start of a sweep must be positions or a function, got a Dataset; use simulate to go on from one"
            )
        for temperature in self.temperatures:
            settle(self.landscape, self.noise, None, temperature, self.dt, None)
        starting_positions(self.start, self.landscape, self.n_particles, self.seeds[0], (0,))

    @classmethod
    def of(
        cls,
        landscape: Landscape,
        noise: Noise | None,
        temperatures: Sequence[float],
        seeds: Sequence[int],
        dt: float | None,
        length: tuple[float | None, int | None],
        save_at: int | ArrayLike,
        **others: Any,
    ) -> SweepPlan:
        """Work out the time axis (``length`` is t1 and n_steps) and check lists.

        Parameters
        ----------
        landscape, noise, temperatures, seeds, dt, save_at, others
            As in ``sweep``.
        length
            ``t1`` and ``n_steps``.

        Returns
        -------
        SweepPlan
            Ready to run.

        Raises
        ------
        ValueError
            An argument breaks its rule.
        """
        if dt is not None and not (math.isfinite(dt) and dt > 0):
            raise ValueError(f"dt must be positive and finite, got {dt}")
        temperatures = distinct("temperatures", temperatures)
        bad = [value for value in temperatures if not (math.isfinite(value) and value > 0)]
        if bad:
            raise ValueError(f"every temperature must be positive and finite, got {bad[0]}")
        if any(int(seed) != seed or seed < 0 for seed in seeds):
            raise ValueError(f"every seed must be a whole number, not negative, got {list(seeds)}")
        noise = Isotropic(1.0) if noise is None else noise
        if dt is None:
            dt = _suggested(landscape, noise, max(temperatures), others.get("start"))
        steps = saved_steps(save_at, 0, last_step(0, dt, *length), dt)
        return cls(
            landscape,
            noise,
            tuple(map(float, temperatures)),
            tuple(map(int, distinct("seeds", seeds))),
            float(dt),
            steps,
            **others,
        )

    @property
    def coordinate_names(self) -> list[str]:
        """Names of the coordinates."""
        return list(getattr(self.landscape, "coordinate_names", schema.coordinate_names(self.landscape.dim)))

    @property
    def particle_steps(self) -> int:
        """Steps of all particles of one point together."""
        return self.n_particles * int(self.steps[-1])

    def configuration(self) -> str:
        """Return, as JSON text, what repeats the sweep and tells it from another one; threads change nothing."""
        dynamics = settle(self.landscape, self.noise, None, self.temperatures[0], self.dt, None).configuration()
        content = {
            **dynamics,
            "verb": "sweep",
            "temperature": None,
            "temperatures": self.temperatures,
            "seeds": self.seeds,
            "steps": self.steps.tolist(),
            "n_particles": self.n_particles,
            "start": _described(self.start),
            "keep": self.keep,
            "storage": self.storage,
            "grid": None if self.grid is None else [list(axis) for axis in self.grid.axes],
        }
        return json.dumps(content, sort_keys=True)


def distinct(name: str, values: Sequence[Any]) -> list[Any]:
    """Return the values as a list.

    Parameters
    ----------
    name
        What the message calls them.
    values
        Values of one axis of a sweep.

    Returns
    -------
    list
        The values.

    Raises
    ------
    ValueError
        There is none, or one is there twice.
    """
    listed = list(values)
    if not listed:
        raise ValueError(f"{name} must hold at least one value, got none")
    if len(set(listed)) < len(listed):
        raise ValueError(f"{name} must hold each value once, got {listed}")
    return listed


def _suggested(landscape: Landscape, noise: Noise, temperature: float, start: Any) -> float:
    if not hasattr(landscape, "gradient"):
        raise ValueError(f"landscape must offer the members of sgdphys.protocols.Landscape, got {landscape!r:.60}")
    if not getattr(noise, "additive", True):
        raise ValueError(
            f"give dt=: no time step is suggested for noise whose D depends on x, and {noise!r:.60} is one"
        )
    strongest = float(np.linalg.eigvalsh(noise.diffusion(np.zeros((1, landscape.dim)))[0]).max())
    many = start is None or callable(start) or isinstance(start, xr.Dataset) or np.ndim(start) > 1
    return suggested_time_step(landscape, temperature * strongest, start=None if many else start)


def _described(start: Any) -> Any:
    if start is None:
        return None
    if callable(start):
        return f"{getattr(start, '__module__', '')}.{getattr(start, '__qualname__', type(start).__name__)}"
    values = np.asarray(start, dtype=np.float64)
    return values.tolist() if values.size <= 100 else f"sha256:{hashlib.sha256(values.tobytes()).hexdigest()}"
