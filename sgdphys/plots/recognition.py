"""From any Dataset of this package to the picture that fits it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sgdphys import schema
from sgdphys.landscapes import restore
from sgdphys.plots.clouds import draw_cloud
from sgdphys.plots.densities import draw_density
from sgdphys.plots.energies import draw_energies
from sgdphys.plots.network_sweeps import draw_network_sweep
from sgdphys.plots.temperature_sweeps import draw_temperature_sweep

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from sgdphys.protocols import Landscape

__all__ = ["draw_dataset"]


def draw_dataset(dataset: xr.Dataset) -> Figure:
    """Draw whatever the Dataset holds: a sweep, a cloud, a density, or energies over time.

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
    if "mean_ratio_real" in dataset:
        return draw_network_sweep(dataset)
    if schema.TEMPERATURE in dataset.dims and "entropy" in dataset:
        return draw_temperature_sweep(dataset)
    if schema.is_cloud(dataset):
        return draw_cloud(dataset, landscape=_landscape(dataset))
    if schema.is_density(dataset):
        return draw_density(dataset)
    if "entropy" in dataset or "free_energy" in dataset:
        return draw_energies(dataset)
    raise ValueError(f"nothing to draw in a Dataset with {', '.join(map(str, dataset)) or 'no variables'}")


def _landscape(cloud: xr.Dataset) -> Landscape | None:
    """Return the landscape that the configuration names, for clouds that show it; None where it cannot be restored."""
    configuration = json.loads(cloud.attrs.get("configuration", "{}")).get("landscape")
    if cloud.sizes[schema.COORDINATE] > 2 or not isinstance(configuration, dict):
        return None
    try:
        return restore(
            configuration,
            {name: cloud[name].values for name in ("origin", "basis", "quadratic_matrix") if name in cloud},
        )
    except (ValueError, KeyError, TypeError):
        return None  # the user's own code, or arrays that this store does not hold
