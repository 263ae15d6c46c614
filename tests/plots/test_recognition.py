"""The Dataset chooses its picture."""

import pytest
import xarray as xr

import sgdphys as sp
from sgdphys import plots


def test_the_dataset_chooses_its_picture(cloud, density, temperature_sweep, network_sweep):
    energies = sp.analysis.entropy(cloud.isel(time=slice(1, None)))
    panels = {
        "cloud": (cloud, 2),
        "density": (density, 1),
        "temperature sweep": (temperature_sweep, 6),
        "energies": (energies, 1),
        "network sweep": (network_sweep, 6),
    }
    for name, (dataset, count) in panels.items():
        assert len(plots.draw_dataset(dataset).axes) == count, name
    with pytest.raises(ValueError, match="nothing to draw in a Dataset with no variables"):
        plots.draw_dataset(xr.Dataset())
