"""The stationary part of a cloud as paths of independent particles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.analysis.frames import check_cloud, check_times
from sgdphys.checks import finite_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

    from sgdphys.protocols import Array

__all__ = ["BUNDLES", "LEAST_PARTICLES", "Paths", "bundled", "stationary_paths"]

LEAST_PARTICLES = 8  # 2^(8 - 1) patterns of reversed paths resolve a level of .01
BUNDLES = 512
_BLOCK = 2_000_000  # numbers that an intermediate array may hold


@dataclass(frozen=True)
class Paths:
    """Frames of the particles that stayed finite, about their common mean.

    Parameters
    ----------
    position
        Shape (time, particle, coordinate), in x, at two times or more.
    times
        Shape (time,), in x^2/loss, rising.
    mean
        What was subtracted, shape (coordinate,).
    """

    position: Array
    times: Array
    mean: Array

    @property
    def particles(self) -> int:
        """Number of particles."""
        return int(self.position.shape[1])

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return int(self.position.shape[2])

    @property
    def duration(self) -> float:
        """Time from the first to the last frame."""
        return float(self.times[-1] - self.times[0])

    @property
    def interval(self) -> float:
        """Mean time between frames."""
        return self.duration / (len(self.times) - 1)

    def require_equal_intervals(self, what: str) -> None:
        """Raise ValueError unless all frames are equally far apart.

        Raises
        ------
        ValueError
            They are not.
        """
        gaps = np.diff(self.times)
        if np.ptp(gaps) > 1e-6 * self.interval:
            raise ValueError(
                f"{what} needs frames at equal intervals, these lie {gaps.min():g} to {gaps.max():g} apart; save the "
                "run with save_at=<number of frames>"
            )

    def steps(self, width: int) -> Iterator[tuple[slice, Array, Array]]:
        """Yield particles, midpoints and displacements (interval, particle, coordinate) in blocks.

        Parameters
        ----------
        width
            How many numbers the caller makes of each step.

        Yields
        ------
        tuple[slice, Array, Array]
            A block of particles.
        """
        size = max(_BLOCK // (max(width, 1) * len(self.times)), 1)
        for start in range(0, self.particles, size):
            chosen = slice(start, min(start + size, self.particles))
            early, late = self.position[:-1, chosen], self.position[1:, chosen]
            yield chosen, 0.5 * (early + late), late - early


def stationary_paths(cloud: xr.Dataset, after: float | None) -> Paths:
    """Return the paths of a cloud's finite particles from a time on.

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)``; particles that left for infinity are left out.
    after
        Time from which on the cloud is stationary; None means the middle of its times.

    Returns
    -------
    Paths
        At two times or more, of eight particles or more.

    Raises
    ------
    ValueError
        The Dataset is no cloud, its times do not rise, or too few frames or particles are left.
    """
    check_cloud(cloud)
    check_times(cloud)
    times = np.asarray(cloud["time"].values, dtype=np.float64)
    start = (times[0] + times[-1]) / 2 if after is None else finite_number("after", after)
    kept = times >= start
    if kept.sum() < 2:
        raise ValueError(
            f"{kept.sum()} of {len(times)} frames lie at time {start:g} or later, currents need two; use a smaller "
            "after= or save more frames"
        )
    position = cloud["position"].values[kept].astype(np.float64)
    position = position[:, np.isfinite(position).all(axis=(0, 2))]
    if position.shape[1] < LEAST_PARTICLES:
        raise ValueError(
            f"{position.shape[1]} particles stayed finite, errors from the differences between independent particles "
            f"need {LEAST_PARTICLES}; use more of them (recorded runs are joined by xarray.concat(runs, 'particle'))"
        )
    mean = position.mean(axis=(0, 1))
    return Paths(position - mean, times[kept], mean)


def bundled(values: Array, most: int = BUNDLES) -> Array:
    """Return means over bundles of independent particles, scaled so that their plain mean is that of all particles.

    Parameters
    ----------
    values
        Shape (particle, ...).
    most
        Largest number of bundles.

    Returns
    -------
    Array
        Shape (bundle, ...).
    """
    count = min(most, len(values))
    edges = np.arange(count) * len(values) // count
    return np.add.reduceat(values, edges, axis=0) * (count / len(values))
