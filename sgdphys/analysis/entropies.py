"""The entropy of clouds and densities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import entr

from sgdphys import schema
from sgdphys.analysis.entropy_estimators import (
    EntropyEstimate,
    gaussian_entropy,
    histogram_entropy,
    nearest_neighbour_entropy,
)
from sgdphys.analysis.frames import cell_volume, check_grid, finite_points, frame_count, resolution, series
from sgdphys.analysis.histograms import fitting_grid

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import ArrayLike

    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array

__all__ = ["entropy"]

Method = Literal["auto", "gaussian", "nearest-neighbour", "grid"]
_METHODS = ("auto", "gaussian", "nearest-neighbour", "grid")
_NEIGHBOUR_DIM = 3  # above, the bias of nearest neighbours exceeds what most clouds lose by being taken for Gaussian


def entropy(dataset: xr.Dataset, method: Method = "auto", grid: Grid | None = None) -> xr.Dataset:
    r"""Return the differential entropy :math:`H = -\int p \ln p` of a cloud or density over time.

    Parameters
    ----------
    dataset
        A cloud, ``position(time, particle, coordinate)``, or a density, ``density(time, x, ...)``. Particles that left
        for infinity are left out; ``particle_count`` says how many remain.
    method
        For clouds. ``"gaussian"``: of the Gaussian with the cloud's covariance, exactly unbiased for Gaussian clouds of
        any size. ``"nearest-neighbour"``: for any shape, biased low in many dimensions. ``"grid"``: of the histogram.
        ``"auto"``: nearest neighbours up to three coordinates, Gaussian above. A density is summed over its cells,
        whatever the method.
    grid
        Cells for ``method="grid"``; by default some of Scott's width.

    Returns
    -------
    xr.Dataset
        ``entropy(time)`` and ``entropy_standard_error(time)``, in nat (0 for a density), and for clouds
        ``particle_count(time)``. The attribute ``method`` names what was used. With nearest neighbours the entropy is
        minus infinity where there is no density: where a hundredth of the particles or more share their places exactly
        with several others (a start at one or a few points), or all have the same value of a coordinate. Fewer ties
        count as the spacing of the stored numbers.

    Raises
    ------
    ValueError
        The Dataset is neither a cloud nor a density, the method is unknown, or there are too few particles.
    """
    check_method(method)
    frames = frame_count(dataset)
    if schema.is_density(dataset):
        values = density_entropies(dataset)
        return series(dataset, {"entropy": values, "entropy_standard_error": np.zeros(frames)}, {"method": "grid"})
    chosen = chosen_method(dataset, method)
    estimator = cloud_estimator(dataset, chosen, grid)
    points = [finite_points(dataset, frame) for frame in range(frames)]
    estimates = [estimator(frame) for frame in points]
    values = np.array([estimate.value for estimate in estimates])
    errors = np.array([estimate.standard_error() for estimate in estimates])
    counts = [len(frame) for frame in points]
    variables: dict[str, ArrayLike] = {"entropy": values, "entropy_standard_error": errors, "particle_count": counts}
    return series(dataset, variables, {"method": chosen})


def density_entropies(density: xr.Dataset) -> Array:
    """Return the entropy of every frame of a density, shape (time,), in nat."""
    values = np.maximum(density["density"].values, 0.0)  # solvers with inertia may leave cells slightly below
    return np.asarray(entr(values).reshape(len(values), -1).sum(axis=1) * cell_volume(density))


def check_method(method: str) -> None:
    """Raise ValueError unless there is such a method."""
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")


def chosen_method(cloud: xr.Dataset, method: Method) -> str:
    """Return the method that ``"auto"`` stands for."""
    if method != "auto":
        return method
    return "nearest-neighbour" if cloud.sizes[schema.COORDINATE] <= _NEIGHBOUR_DIM else "gaussian"


def cloud_estimator(cloud: xr.Dataset, method: str, grid: Grid | None) -> Callable[[Array], EntropyEstimate]:
    """Return the function from points (particle, coordinate) to their entropy estimate."""
    check_grid(grid)
    if method == "gaussian":
        return gaussian_entropy
    if method == "grid":
        cells = fitting_grid(cloud) if grid is None else grid
        return lambda points: histogram_entropy(points, cells)
    return lambda points: nearest_neighbour_entropy(points, resolution(cloud, points))
