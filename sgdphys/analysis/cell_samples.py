"""Densities in the cells of a grid with those of groups of particles, whose differences show what sampling does."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.special import logsumexp

from sgdphys import schema
from sgdphys.analysis.frames import cell_centres, cell_volume
from sgdphys.analysis.histograms import cell_fractions, fitting_grid, particle_frames
from sgdphys.analysis.kernel_densities import kernels_for, particle_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

    Energy = Callable[[Array], Array]

__all__ = ["FEWEST_COUNTS", "CellSample", "cell_samples"]

FEWEST_COUNTS = 10.0  # independent particles in a cell whose logarithm is trusted
_NEIGHBOURHOOD = {1: 5, 2: 3, 3: 3}  # cells along each axis
_FEWEST_PARTICLES = 20


@dataclass(frozen=True)
class CellSample:
    """Densities in cells, and the points around a centre over which a density is an average.

    Parameters
    ----------
    centres
        Shape (cell, coordinate).
    density
        Of all particles, shape (cell,).
    groups
        Of groups of particles, shape (group, cell); without groups it has no error.
    nodes, weights
        Offsets (node, coordinate) from a centre and their weights, whose sum is 1.
    cell_volume
        In x^dim.
    shape
        Cells along each axis.
    """

    centres: Array
    density: Array
    groups: Array
    nodes: Array
    weights: Array
    cell_volume: float
    shape: tuple[int, ...]

    def relative_variance(self) -> Array:
        """Return the variance of the density over its square, shape (cell,)."""
        if not len(self.groups):
            return np.zeros(len(self.density))
        squares = np.where(self.density > 0, self.density, 1.0) ** 2
        return np.asarray(np.var(self.groups, axis=0, ddof=1) / len(self.groups) / squares)

    def trusted(self) -> NDArray[np.int64]:
        """Return the cells that hold enough independent particles, on average with their neighbours."""
        # by their own numbers alone, cells would be chosen that hold more than their due by chance
        used = self.density > 0
        if not len(self.groups):
            return np.flatnonzero(used)
        with np.errstate(divide="ignore"):  # no variance: all groups have as many there
            counts = np.where(used, 1 / np.where(used, self.relative_variance(), 1), 0).reshape(self.shape)
        around = uniform_filter(counts, _NEIGHBOURHOOD[counts.ndim], mode="nearest").ravel()
        return np.flatnonzero(used & (around >= FEWEST_COUNTS))

    def energies(self, energy: Energy, cells: NDArray[np.int64], energy_scale: float) -> Array:
        """Return -E ln of the mean of exp(-f/E) over each of the cells, E the energy scale, shape (cell,)."""
        each = np.stack([energy(self.centres[cells] + node) for node in self.nodes])
        if len(each) == 1 or not math.isfinite(energy_scale):
            return np.asarray(self.weights @ each)
        return np.asarray(-energy_scale * logsumexp(-each / energy_scale, axis=0, b=self.weights[:, np.newaxis]))


def cell_samples(
    dataset: xr.Dataset, grid: Grid | None, method: str, bandwidth: ArrayLike | str | None, *, pool: bool
) -> Iterator[CellSample]:
    """Return the densities of a density Dataset or a cloud, one after another for each time.

    Parameters
    ----------
    dataset
        A density, or a cloud with finite particles.
    grid, bandwidth
        Of the density of a cloud; None for those that fit.
    method
        ``"histogram"`` or ``"kernel"``.
    pool
        Whether all frames of a cloud are one.

    Yields
    ------
    CellSample
        One for each time.

    Raises
    ------
    ValueError
        The density was counted from particles, or there are too few of them.
    """
    if schema.is_density(dataset):
        if "density_standard_error" in dataset:
            raise ValueError(
                "this density was counted from particles, and what sampling adds to the distance is not in it; give "
                "the cloud in place of its density"
            )
        centres, volume = cell_centres(dataset), cell_volume(dataset)
        nothing = np.zeros((0, len(centres)))
        for frame in dataset["density"].values:
            yield CellSample(
                centres, frame.ravel(), nothing, np.zeros((1, centres.shape[1])), np.ones(1), volume, frame.shape
            )
        return
    for frame in particle_frames(dataset, pool=pool):
        if frame.shape[1] < _FEWEST_PARTICLES:
            raise ValueError(f"a distance needs {_FEWEST_PARTICLES} finite particles or more, got {frame.shape[1]}")
        if method == "kernel":
            yield _of_kernels(frame, grid, bandwidth)
        else:
            yield _of_counts(frame, fitting_grid(dataset) if grid is None else grid)


def _of_counts(frame: Array, grid: Grid) -> CellSample:
    nodes, weights = np.polynomial.legendre.leggauss(3)
    offsets, products = _product_rule(nodes, weights / 2, np.array(grid.spacing) / 2)
    return _sample(frame, grid, lambda points: cell_fractions(points, grid) / grid.cell_volume, offsets, products)


def _of_kernels(frame: Array, grid: Grid | None, bandwidth: ArrayLike | str | None) -> CellSample:
    kernels = kernels_for(frame, grid, bandwidth)
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    offsets, products = _product_rule(nodes, weights / weights.sum(), np.array(kernels.bandwidth))
    return _sample(frame, kernels.grid, kernels.density, offsets, products)


def _sample(frame: Array, grid: Grid, estimate: Callable[[Array], Array], offsets: Array, weights: Array) -> CellSample:
    dim = frame.shape[-1]
    groups = np.stack([estimate(frame[:, group].reshape(-1, dim)) for group in particle_groups(frame.shape[1])])
    return CellSample(
        grid.points(), estimate(frame.reshape(-1, dim)), groups, offsets, weights, grid.cell_volume, grid.shape
    )


def _product_rule(nodes: Array, weights: Array, scales: Array) -> tuple[Array, Array]:
    dim = len(scales)
    offsets = np.array(list(itertools.product(nodes, repeat=dim))) * scales
    return offsets, np.array([math.prod(combined) for combined in itertools.product(weights, repeat=dim)])
