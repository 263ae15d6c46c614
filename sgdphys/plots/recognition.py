"""From any Dataset of this package to the picture that fits it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from sgdphys import schema
from sgdphys.fokker_planck import Grid, stationary
from sgdphys.landscapes import restore
from sgdphys.plots.clouds import draw_cloud
from sgdphys.plots.currents import draw_current, flows
from sgdphys.plots.densities import draw_density
from sgdphys.plots.energies import draw_energies
from sgdphys.plots.figures import RED
from sgdphys.plots.network_sweeps import draw_network_sweep
from sgdphys.plots.planes import configuration_of
from sgdphys.plots.relaxation_spectra import draw_relaxation_spectrum, is_spectrum
from sgdphys.plots.temperature_sweeps import draw_temperature_sweep
from sgdphys.plots.verdicts import draw_validity, is_validity

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from sgdphys.protocols import Landscape

__all__ = ["draw_dataset"]

_MARGIN, _CELLS = 1e-3, 4000  # of the grid of a Gibbs state, three times as wide as the cloud
_LEAKING = 1e-6  # boundary mass above which the landscape does not confine there

ARRAYS = (
    "origin", "basis", "quadratic_matrix", "sample_inputs", "sample_targets", "circulation_matrix", "knot_potential",
    "knot_circulation",
)  # of landscapes, in a Dataset  # fmt: skip


def draw_dataset(dataset: xr.Dataset) -> Figure:
    """Draw whatever the Dataset holds: a sweep, a cloud, a density with its current, a spectrum, or energies.

    Parameters
    ----------
    dataset
        From ``sgdphys.open`` or from any verb of the package.

    Returns
    -------
    Figure
        The picture that fits.

    Raises
    ------
    ValueError
        Nothing in it can be drawn.
    """
    figure = _drawn(dataset)
    unfinished = _unfinished(dataset)
    if unfinished:
        figure.suptitle(unfinished, fontsize=10, color=RED)
    return figure


def _drawn(dataset: xr.Dataset) -> Figure:
    if "mean_ratio_real" in dataset:
        return draw_network_sweep(dataset)
    if schema.TEMPERATURE in dataset.dims and "entropy" in dataset:
        return draw_temperature_sweep(dataset)
    if schema.is_cloud(dataset):
        landscape = _landscape(dataset, dataset.sizes[schema.COORDINATE])
        return draw_cloud(dataset, landscape=landscape, stationary=_gibbs_state(dataset, landscape))
    if is_validity(dataset):
        return draw_validity(dataset)
    if is_spectrum(dataset):
        return draw_relaxation_spectrum(dataset)
    if schema.is_density(dataset):
        landscape = _landscape(dataset, dataset["density"].ndim - 1)
        if flows(dataset) and dataset["density"].ndim <= 3:
            return draw_current(dataset, landscape=landscape)
        return draw_density(dataset, landscape=landscape, stationary=_on_the_same_grid(dataset, landscape))
    if "entropy" in dataset or "free_energy" in dataset:
        return draw_energies(dataset)
    raise ValueError(f"nothing to draw in a Dataset with {', '.join(map(str, dataset)) or 'no variables'}")


def _unfinished(dataset: xr.Dataset) -> str:
    if dataset.attrs.get("complete", 1):
        return ""
    if "committed_frames" in dataset:
        frames = dataset["committed_frames"].values
        return f"unfinished, {int((frames >= dataset.sizes.get(schema.TIME, 1)).sum())} of {frames.size} points"
    return f"unfinished, {dataset.sizes.get(schema.TIME, 0)} frames so far"


def _landscape(dataset: xr.Dataset, dim: int) -> Landscape | None:
    """Return the landscape that the configuration names, for pictures that show it; None if it cannot be restored."""
    configuration = configuration_of(dataset).get("landscape")
    if dim > 2 or not isinstance(configuration, dict):
        return None
    try:
        return restore(configuration, {name: dataset[name].values for name in ARRAYS if name in dataset})
    except (ValueError, KeyError, TypeError):
        return None  # the user's own code, or arrays that this store does not hold


def _gibbs_state(cloud: xr.Dataset, landscape: Landscape | None) -> xr.Dataset | None:
    """Return the Gibbs state of a cloud of one coordinate, where temperature and noise are known and it is confined."""
    configuration = configuration_of(cloud)
    temperature, noise = configuration.get("temperature"), configuration.get("noise") or {}
    if landscape is None or landscape.dim != 1 or not temperature or noise.get("noise") != "Isotropic":
        return None
    if configuration.get("sgd") or not isinstance(temperature, (int, float)):
        return None  # SGD has another stationary state, and a scheduled temperature has none
    position = cloud["position"].values
    low, high = float(np.nanmin(position)), float(np.nanmax(position))
    grid = Grid([(low - (high - low) - _MARGIN, high + (high - low) + _MARGIN, _CELLS)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of probability beyond the walls: then there is no picture of it
        density = stationary(landscape, temperature=temperature * noise["c"], grid=grid)
    return density if float(density["boundary_mass"][0]) < _LEAKING else None


def _on_the_same_grid(density: xr.Dataset, landscape: Landscape | None) -> xr.Dataset | None:
    """Return the Gibbs state on the grid of an evolving density of one coordinate, where the noise is D = 1."""
    configuration = configuration_of(density)
    temperature = configuration.get("temperature")
    known = isinstance(temperature, (int, float)) and configuration.get("noise") is None
    if landscape is None or landscape.dim != 1 or configuration.get("verb") != "evolve" or not known:
        return None
    sides = configuration.get("boundaries", "far")
    if "absorbing" in np.ravel(sides) or hasattr(landscape, "protocol"):
        return None  # nothing is stationary there
    return stationary(landscape, temperature=temperature, grid=Grid(configuration["grid"], sides))
