"""Paths through very many dimensions, seen through their count sketches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.displacement_sums import even_interval
from sgdphys.analysis.frames import check_dataset, check_times
from sgdphys.checks import whole_number

if TYPE_CHECKING:
    from sgdphys.protocols import Array

__all__ = ["path_principal_components", "sketched_displacement"]


def sketched_displacement(dataset: xr.Dataset, n_lags: int = 20) -> xr.Dataset:
    r"""Return the mean squared displacement of a path of many parameters over lags, from its count sketches.

    .. math:: \mathrm{MSD}(\tau) = \langle |S x_{t + \tau} - S x_t|^2 \rangle

    over starting times and replicas. S keeps squared lengths on average over sketches; for a given path the standard
    deviation over sketches is at most sqrt(2/k) of the result with k buckets. More frames do not lessen it, since all
    share one sketch; a recording with another ``seed`` does.

    Parameters
    ----------
    dataset
        ``sketch`` (time, particle, bucket) at equally spaced times, as a recording has it.
    n_lags
        Number of lags, spaced by equal factors from one interval to half the path.

    Returns
    -------
    xr.Dataset
        ``sketched_displacement`` (lag) in x^2, ``sketched_displacement_sketch_error`` (lag).

    Raises
    ------
    ValueError
        There is no sketch, or fewer than three frames, or their times are not equally spaced.
    """
    sketch = _sketches(dataset)
    interval = even_interval(dataset, 3)
    count = whole_number("n_lags", n_lags)
    lags = np.unique(np.geomspace(1, max(len(sketch) // 2, 1), count).round().astype(int))
    values = np.array([_mean_square(sketch[lag:] - sketch[:-lag]) for lag in lags])
    error = values * math.sqrt(2 / sketch.shape[2])
    names = ("sketched_displacement", "sketched_displacement_sketch_error")
    variables = {
        name: ("lag", array, schema.describe(name)) for name, array in zip(names, (values, error), strict=True)
    }
    return xr.Dataset(variables, coords={"lag": ("lag", interval * lags, schema.describe("lag"))})


def path_principal_components(dataset: xr.Dataset, n_components: int = 4) -> xr.Dataset:
    r"""Return the principal components of each replica's path, from its sketches, beside those of a random walk.

    A random walk in many dimensions, however noisy it looks, has in its j-th component the share 6/(pi j)^2 of its
    variance, 61 % in the first, and its components are cosines of time, so that the first two draw a Lissajous curve. A
    picture of a path in that plane tells of the path only what differs from this; ``off_plane_distance`` is what the
    picture leaves out.

    Parameters
    ----------
    dataset
        ``sketch`` (time, particle, bucket), as a recording has it.
    n_components
        Number of components to return.

    Returns
    -------
    xr.Dataset
        ``path_share`` (particle, mode), ``path_share_null`` (mode), ``path_component`` (time, particle, mode) in x, of
        the path less its mean over time; ``off_plane_distance`` (time, particle) in x. Lengths carry the error of a
        sketch, sqrt(1/(2k)). All is NaN of a replica that diverged.

    Raises
    ------
    ValueError
        There is no sketch, or there are fewer than three frames.

    References
    ----------
    Antognini & Sohl-Dickstein 2018, NeurIPS (arXiv 1806.08805), for the share and shape of a random walk.
    """
    sketch = _sketches(dataset)
    count = min(whole_number("n_components", n_components), len(sketch) - 1, sketch.shape[2])
    parts = [_components(sketch[:, particle], count) for particle in range(sketch.shape[1])]
    shares, scores, distances = (np.stack(values) for values in zip(*parts, strict=True))
    null = 6 / (math.pi * np.arange(1, count + 1)) ** 2
    arrays = {
        "path_share": shares,
        "path_share_null": null,
        "path_component": scores.transpose(1, 0, 2),
        "off_plane_distance": distances.T,
    }
    variables = {name: (schema.BY_NAME[name].dims, array, schema.describe(name)) for name, array in arrays.items()}
    clock = {name: dataset[name] for name in (schema.TIME, schema.STEP) if name in dataset.coords}
    return xr.Dataset(variables, coords=clock)


def _sketches(dataset: xr.Dataset) -> Array:
    check_dataset(dataset)
    if "sketch" not in dataset:
        raise ValueError("the Dataset holds no sketch; train with record=network.Recording(), or use network.Recorder")
    check_times(dataset)
    if set(dataset["sketch"].dims) != {schema.TIME, schema.PARTICLE, "bucket"}:
        raise ValueError(f"sketch must have the dimensions time, particle and bucket, got {dataset['sketch'].dims}")
    values = np.asarray(dataset["sketch"].transpose(schema.TIME, schema.PARTICLE, "bucket").values, np.float64)
    if len(values) < 3:
        raise ValueError(f"three frames or more are needed, the Dataset holds {len(values)}")
    return values


def _mean_square(moves: Array) -> float:
    return float((moves**2).sum(axis=2).mean())


def _components(path: Array, count: int) -> tuple[Array, Array, Array]:
    if not np.isfinite(path).all():
        return np.full(count, np.nan), np.full((len(path), count), np.nan), np.full(len(path), np.nan)
    centred = path - path.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    scores = u * s
    shares = s**2 / max(float((s**2).sum()), np.finfo(float).tiny)
    return shares[:count], scores[:, :count], np.sqrt((scores[:, 2:] ** 2).sum(axis=1))
