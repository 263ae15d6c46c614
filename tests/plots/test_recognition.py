"""The Dataset chooses its picture."""

import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys import plots


def test_the_dataset_chooses_its_picture(cloud, density, temperature_sweep, network_sweep):
    energies = sp.analysis.entropy(cloud.isel(time=slice(1, None)))
    panels = {
        "cloud": (cloud, 2),
        "density": (density, 1),
        "temperature sweep": (temperature_sweep, 7),
        "energies": (energies, 1),
        "network sweep": (network_sweep, 6),
    }
    for name, (dataset, count) in panels.items():
        assert len(plots.draw_dataset(dataset).axes) == count, name
    with pytest.raises(ValueError, match="nothing to draw in a Dataset with no variables"):
        plots.draw_dataset(xr.Dataset())


def test_a_cloud_shows_the_gibbs_state_of_its_temperature(cloud, density, well):
    for dataset in (cloud, density):
        axes = plots.draw_dataset(dataset).axes[0]
        (dashed,) = [line for line in axes.lines if line.get_linestyle() == "--"]
        x, height = dashed.get_data()
        slope = np.polyfit(well.potential(x[:, np.newaxis])[height > 1e-3], np.log(height[height > 1e-3]), 1)[0]
        assert slope == pytest.approx(-1 / 0.1, rel=1e-3)


def test_without_a_gibbs_state_there_is_no_curve():
    hill = sp.landscapes.Expression("-x**2/2")
    cloud = sp.simulate(hill, temperature=0.1, dt=0.01, n_steps=100, n_particles=200, save_at=2, start=0.0)
    assert not any(line.get_linestyle() == "--" for line in plots.draw_dataset(cloud).axes[0].lines)


def test_an_unfinished_store_says_so(temperature_sweep, cloud):
    frames = (("temperature", "seed"), [[11, 11], [11, 3], [0, 0]])
    part = temperature_sweep.assign(committed_frames=frames).assign_attrs(complete=0)
    assert plots.draw_dataset(part).get_suptitle() == "unfinished, 3 of 6 points"
    assert plots.draw_dataset(cloud.assign_attrs(complete=0)).get_suptitle() == "unfinished, 5 frames so far"
    assert plots.draw_dataset(temperature_sweep).get_suptitle() == ""


def test_a_density_with_a_current_shows_it():
    ring = sp.Grid([(-np.pi, np.pi, 60)], boundaries="periodic")
    tilted = sp.fokker_planck.stationary(sp.landscapes.Expression("cos(x) - x"), temperature=0.3, grid=ring)
    panels = plots.draw_dataset(tilted).axes
    assert [axes.get_ylabel() for axes in panels] == ["probability density  [1/x]", "probability current J  [loss/x²]"]


def test_a_density_that_leaves_has_no_stationary_line(well):
    grid = sp.Grid([(-2, 2, 60)], boundaries=[("far", "absorbing")])
    leaving = sp.fokker_planck.evolve(well, temperature=0.2, grid=grid, start=0.0, times=[1, 2])
    assert not any(line.get_linestyle() == "--" for line in plots.draw_dataset(leaving).axes[0].lines)
