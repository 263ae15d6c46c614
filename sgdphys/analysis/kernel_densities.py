"""The density of a cloud by Gaussian kernels, with its standard error and its bias."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.ndimage import gaussian_filter

from sgdphys import schema
from sgdphys.analysis.frames import check_cloud, check_grid
from sgdphys.analysis.histograms import density_of_frames, particle_frames
from sgdphys.checks import number_array
from sgdphys.fokker_planck.grid import Grid

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.protocols import Array

    Indices = NDArray[np.int64]

__all__ = ["GaussianKernels", "kernel_density", "kernel_grid", "kernels_for", "particle_groups"]

Walls = Literal["open", "reflecting", "periodic"]
_FILTER_MODES = {"open": "constant", "reflecting": "reflect", "periodic": "wrap"}
_MOST_CELLS = {1: 400, 2: 200, 3: 50}  # along an axis of a grid of our own choice
_FINENESS = {1: 0.2, 2: 0.4, 3: 0.7}  # bandwidths that a fine bin may be wide
_MOST_BINS = 2**25
_REACH = 5  # standard deviations of a kernel that count
_MARGIN = 8  # bandwidths beyond open walls; kernels for the bias are up to twice as wide
_GROUPS = 100


def kernel_density(
    cloud: xr.Dataset,
    grid: Grid | None = None,
    bandwidth: ArrayLike | Literal["silverman", "scott"] | None = None,
    *,
    walls: Walls = "open",
    pool: bool = False,
) -> xr.Dataset:
    r"""Return the density of a cloud as a sum of Gaussians around its particles, :math:`\frac1n \sum_i K_h(x - x_i)`.

    The variance is that of the sum, :math:`(\langle K_h^2 \rangle - \langle K_h \rangle^2)/n`, whose second moment is
    itself a kernel density, with the width :math:`h/\sqrt2`. The mean of the sum is the density after convolution with
    the kernel; its leading bias :math:`\frac12 \sum_j h_j^2\, \partial_j^2 p` is estimated with wider kernels, made for
    second derivatives, and neither subtracted nor part of the error. Values of neighbouring cells are correlated.

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)`` of one to three coordinates; particles that left for infinity are left
        out.
    grid
        Cells at whose centres the density is taken; by default some that hold all frames, half a bandwidth wide where
        400, 200 or 50 cells along each of one, two or three axes suffice.
    bandwidth
        Standard deviation h of the kernels, one for all or one for each coordinate, in x. ``"silverman"``, the default,
        is :math:`s\,(4/((d+2) n))^{1/(d+4)}` of each frame, s the smaller of the standard deviation and the
        interquartile range over 1.349; ``"scott"`` is :math:`\sigma\, n^{-1/(d+4)}`. Both are made for one peak: the
        bias shows where they are too wide.
    walls
        What the walls of the grid do to kernels that reach over them: nothing (``"open"``), turn them back
        (``"reflecting"``, for densities that end there) or carry them on to the other side (``"periodic"``). Particles
        outside the grid count with open walls only.
    pool
        Whether to take all frames of a stationary run as one; the errors then come from the variation between 100
        groups of particles, as frames of the same particle are not independent. They are uncertain by 7 %.

    Returns
    -------
    xr.Dataset
        ``density(time, x, ...)`` in 1/x^dim with ``density_standard_error`` and ``density_bias``, ``mass(time)`` on the
        grid, ``particle_count(time)`` and ``bandwidth(time, coordinate)``.

    Raises
    ------
    ValueError
        The Dataset is no cloud or has more than three coordinates, no particle is finite, the grid does not fit, the
        bandwidth is not positive or much narrower than the grid is wide.

    References
    ----------
    Silverman 1986, Density Estimation for Statistics and Data Analysis; Scott 1992, Multivariate Density Estimation;
    Chacon, Duong & Wand 2011, Statistica Sinica 21, 807, for the width of kernels for derivatives.
    """
    check_cloud(cloud)
    check_grid(grid)
    if walls not in list(_FILTER_MODES):
        raise ValueError(f"walls must be one of {', '.join(_FILTER_MODES)}, got {walls!r}")
    frames = particle_frames(cloud, pool=pool)
    widths = np.array([_bandwidth(frame, bandwidth) for frame in frames])
    cells = kernel_grid(frames, widths) if grid is None else grid
    if cells.dim != widths.shape[1]:
        raise ValueError(f"the grid has {cells.dim} axes, the cloud {widths.shape[1]} coordinates")
    rows = [_estimate(frame, GaussianKernels(cells, tuple(h), walls)) for frame, h in zip(frames, widths, strict=True)]
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    sizes = np.array([frame.shape[1] for frame in frames])
    result = density_of_frames(cloud, cells, values, sizes, pool=pool)
    result["bandwidth"] = ((schema.TIME, schema.COORDINATE), widths, schema.describe("bandwidth"))
    return result.assign_attrs(walls=walls)


@dataclass(frozen=True)
class GaussianKernels:
    """Sums of Gaussians at the cell centres of a grid, from points shared out linearly to fine bins.

    Parameters
    ----------
    grid
        The cells.
    bandwidth
        Standard deviation along each axis, in x.
    walls
        ``"open"``, ``"reflecting"`` or ``"periodic"``.
    """

    grid: Grid
    bandwidth: tuple[float, ...]
    walls: Walls = "open"

    def density(self, points: Array) -> Array:
        """Return the kernel density of points (particle, coordinate) at the cell centres, shape (cell,), in 1/x^dim."""
        return self._filtered(self._bins(points), 1.0)

    def moments(self, points: Array) -> tuple[Array, Array, Array]:
        """Return the mean kernel, the mean square and the leading bias of the mean at the cells, each (cell,)."""
        bins, dim = self._bins(points), self.grid.dim
        square = self._filtered(bins, math.sqrt(0.5)) / ((4 * math.pi) ** (dim / 2) * math.prod(self.bandwidth))
        wider = _second_derivative_factor(len(points), dim)
        curvatures = [h**2 * self._filtered(bins, wider, axis) for axis, h in enumerate(self.bandwidth)]
        return self._filtered(bins, 1.0), square * self._overlap(), 0.5 * np.sum(curvatures, axis=0)

    @functools.cached_property
    def _fineness(self) -> tuple[int, ...]:
        """Fine bins across a cell, odd so that one has the cell's centre."""
        ratios = (
            width / (_FINENESS[self.grid.dim] * h) for width, h in zip(self.grid.spacing, self.bandwidth, strict=True)
        )
        return tuple(2 * math.ceil((max(ratio, 1.0) - 1) / 2) + 1 for ratio in ratios)

    @functools.cached_property
    def _bin_width(self) -> Array:
        return np.asarray(np.array(self.grid.spacing) / np.array(self._fineness))

    @functools.cached_property
    def _margin(self) -> Indices:
        """Fine bins beyond each wall."""
        if self.walls != "open":
            return np.zeros(self.grid.dim, dtype=np.int64)
        return np.asarray(np.ceil(_MARGIN * np.array(self.bandwidth) / self._bin_width), dtype=np.int64)

    def _bins(self, points: Array) -> Array:
        """Return points shared out to the two nearest fine bins along each axis, over their number and the volume."""
        inner = np.array(self.grid.shape) * np.array(self._fineness)
        shape = inner + 2 * self._margin
        if math.prod(int(cells) for cells in shape) > _MOST_BINS:
            raise ValueError(
                f"kernels of width {np.array(self.bandwidth)} on the grid {self.grid.axes} need too many bins, "
                f"{shape}; give a smaller grid= or a larger bandwidth="
            )
        low = np.array([axis[0] for axis in self.grid.axes])
        high = np.array([axis[1] for axis in self.grid.axes])
        kept = points if self.walls == "open" else points[np.all((points >= low) & (points <= high), axis=1)]
        places = (kept - low) / self._bin_width - 0.5 + self._margin
        near = np.all((places > -1) & (places < shape), axis=1)
        return self._shared_out(places[near], shape) / (len(points) * np.prod(self._bin_width))

    def _shared_out(self, places: Array, shape: Indices) -> Array:
        lower = np.floor(places).astype(np.int64)
        share = places - lower
        bins = np.zeros(math.prod(int(cells) for cells in shape))
        for corner in np.ndindex(*(2,) * self.grid.dim):
            weights = np.prod(np.where(corner, share, 1 - share), axis=1)
            index, weights = self._kept(lower + np.array(corner), weights, shape)
            bins += np.bincount(np.ravel_multi_index(tuple(index.T), tuple(shape)), weights, minlength=bins.size)
        return bins.reshape(tuple(shape))

    def _kept(self, index: Indices, weights: Array, shape: Indices) -> tuple[Indices, Array]:
        if self.walls == "periodic":
            return index % shape, weights
        if self.walls == "reflecting":
            return np.clip(index, 0, shape - 1), weights
        inside = np.all((index >= 0) & (index < shape), axis=1)
        return index[inside], weights[inside]

    def _filtered(self, bins: Array, factor: float, derivative_axis: int | None = None) -> Array:
        """Return bins under kernels ``factor`` bandwidths wide at the cells; sharing out widened them by b^2/6."""
        widths = np.sqrt((factor * np.array(self.bandwidth) / self._bin_width) ** 2 - 1 / 6)
        orders = [2 if axis == derivative_axis else 0 for axis in range(bins.ndim)]
        smooth = gaussian_filter(bins, widths, order=orders, mode=_FILTER_MODES[self.walls], truncate=_REACH)
        starts = (int(margin) + fine // 2 for margin, fine in zip(self._margin, self._fineness, strict=True))
        picked = tuple(
            slice(start, start + fine * cells, fine)
            for start, fine, cells in zip(starts, self._fineness, self.grid.shape, strict=True)
        )
        values = np.asarray(smooth[picked], dtype=np.float64).ravel()
        return values if derivative_axis is None else values / self._bin_width[derivative_axis] ** 2

    def _overlap(self) -> Array:
        """Return what the overlap of kernels with their images adds to the mean square, as a factor, shape (cell,)."""
        factors = np.ones(self.grid.shape)
        if self.walls == "reflecting":
            for axis, (low, high, _) in enumerate(self.grid.axes):
                distances = np.stack([self.grid.centres[axis] - low, high - self.grid.centres[axis]])
                along = 1 + np.exp(-((distances / self.bandwidth[axis]) ** 2)).sum(axis=0)
                factors *= along.reshape([-1 if other == axis else 1 for other in range(self.grid.dim)])
        return factors.ravel()


def kernels_for(frame: Array, grid: Grid | None, bandwidth: ArrayLike | str | None) -> GaussianKernels:
    """Return the kernels for one array (frame, particle, coordinate) of finite positions."""
    widths = _bandwidth(frame, bandwidth)
    return GaussianKernels(kernel_grid([frame], widths[np.newaxis]) if grid is None else grid, tuple(widths))


def kernel_grid(frames: list[Array], widths: Array) -> Grid:
    """Return a grid three bandwidths wider than all frames, with cells half the smallest bandwidth where few do.

    Parameters
    ----------
    frames
        Arrays (frame, particle, coordinate).
    widths
        Bandwidth of each, shape (array, coordinate).

    Returns
    -------
    Grid
        The grid.
    """
    most = _MOST_CELLS[widths.shape[1]]
    low = np.min([frame.min(axis=(0, 1)) - 3 * h for frame, h in zip(frames, widths, strict=True)], axis=0)
    high = np.max([frame.max(axis=(0, 1)) + 3 * h for frame, h in zip(frames, widths, strict=True)], axis=0)
    cells = np.minimum(np.ceil(2 * (high - low) / widths.min(axis=0)), most)
    return Grid([(float(a), float(b), int(count)) for a, b, count in zip(low, high, cells, strict=True)])


def particle_groups(count: int) -> list[slice]:
    """Return slices that deal particles out to 100 groups of almost equal size, or as many as there are particles."""
    groups = min(count, _GROUPS)
    return [slice(group, None, groups) for group in range(groups)]


def _estimate(frame: Array, kernels: GaussianKernels) -> dict[str, Array]:
    points = frame.reshape(-1, frame.shape[-1])
    mean, square, bias = kernels.moments(points)
    variance = np.maximum(square - mean**2, 0.0) / len(points)
    if len(frame) > 1:
        groups = particle_groups(frame.shape[1])
        each = [kernels.density(frame[:, group].reshape(-1, frame.shape[-1])) for group in groups]
        variance = np.var(each, axis=0, ddof=1) / len(groups) if len(groups) > 1 else np.full(mean.shape, np.nan)
    return {"density": mean, "density_standard_error": np.sqrt(variance), "density_bias": bias}


def _bandwidth(frame: Array, bandwidth: ArrayLike | str | None) -> Array:
    """Return the standard deviations of the kernels for an array (frame, particle, coordinate)."""
    _, size, dim = frame.shape
    if dim > 3 or not size:
        raise ValueError(f"kernels need finite particles of one to three coordinates, got {size} of {dim}")
    if bandwidth is None or isinstance(bandwidth, str):
        return _by_rule(frame.reshape(-1, dim), size, bandwidth or "silverman")
    widths = number_array("bandwidth", bandwidth)
    if widths.shape not in {(), (1,), (dim,)} or not np.all((widths > 0) & np.isfinite(widths)):
        raise ValueError(f"bandwidth must be a positive number or {dim}, one for each coordinate, got {bandwidth}")
    return np.broadcast_to(widths, (dim,)).copy()


def _by_rule(points: Array, size: int, rule: str) -> Array:
    if rule not in {"silverman", "scott"}:
        raise ValueError(f"bandwidth must be silverman, scott or numbers, got {rule!r}")
    dim, scale = points.shape[1], points.std(axis=0)
    if np.any(scale == 0):
        raise ValueError(
            "the particles of a frame share a coordinate: it has no density; leave it out or give bandwidth="
        )
    if rule == "scott":
        return np.asarray(scale * size ** (-1 / (dim + 4)))
    quarter, three_quarters = np.quantile(points, [0.25, 0.75], axis=0)
    robust = (three_quarters - quarter) / 1.349
    chosen = np.where(robust > 0, np.minimum(robust, scale), scale)
    return np.asarray(chosen * (4 / ((dim + 2) * size)) ** (1 / (dim + 4)))


def _second_derivative_factor(count: int, dim: int) -> float:
    """Return the width of kernels for second derivatives over that for densities, both of a Gaussian; at most 2."""
    second: float = (4 / ((dim + 6) * count)) ** (1 / (dim + 8))
    return float(min(second / (4 / ((dim + 2) * count)) ** (1 / (dim + 4)), 2.0))
