"""Clouds: histograms of unit area on the density, planes, spreads."""

import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys import plots
from sgdphys.landscapes import MuellerBrown, Quadratic


@pytest.fixture(scope="module")
def plane_cloud():
    return sp.simulate(
        MuellerBrown(), temperature=20.0, dt=1e-5, n_steps=500, n_particles=2000, start=[-0.5, 1.4], save_at=3
    )


def _area(patch):
    heights, edges, _ = patch.get_data()
    return float((heights * np.diff(edges)).sum())


def test_histograms_have_unit_area_and_lie_on_the_density(cloud, density, stationary, labels, well):
    figure = plots.draw_cloud(cloud, density=density, stationary=stationary, landscape=well)
    axes, below = figure.axes
    assert [round(_area(patch), 3) for patch in axes.patches] == pytest.approx([1.0] * len(axes.patches), abs=2e-3)
    heights, edges, _ = axes.patches[-1].get_data()
    line = [line for line in axes.lines if len(line.get_xdata()) > 100][-2]  # the last density; after it the stationary
    expected = np.interp((edges[1:] + edges[:-1]) / 2, line.get_xdata(), line.get_ydata())
    error = np.sqrt(np.maximum(expected, 0.02) / (4000 * np.diff(edges)))
    assert np.abs((heights - expected) / error).max() < 5
    assert axes.get_ylabel() == "probability density  [1/x]"
    assert below.get_ylabel() == "potential  [loss]"
    assert below.get_xlabel() == "coordinate x"
    assert labels(axes)[-2:] == ["density on the grid at these times", "stationary density"]


def test_chosen_frames(cloud, labels):
    axes = plots.draw_cloud(cloud, frames=[0, 4]).axes[0]
    assert labels(axes) == ["cloud, t = 0", "cloud, t = 20"]
    with pytest.raises(ValueError, match="frame 5 does not exist, the cloud has 5"):
        plots.draw_cloud(cloud, frames=[5])


def test_two_coordinates(plane_cloud):
    grid = sp.Grid([(-2.2, 1.7, 60), (-1.0, 2.6, 60)])
    stationary = sp.fokker_planck.stationary(MuellerBrown(), temperature=20.0, grid=grid)
    figure = plots.draw_cloud(plane_cloud, stationary=stationary, landscape=MuellerBrown())
    assert [axes.get_title() for axes in figure.axes[:2]] == [
        "cloud of 2000, t = 0.005",
        "stationary density on the grid",
    ]
    assert figure.axes[0].get_xlabel() == "coordinate x"
    assert figure.axes[2].get_ylabel() == "probability density  [1/x²]"


def test_many_coordinates():
    bowl = Quadratic(np.diag([1.0, 2.0, 4.0, 8.0]))
    cloud = sp.simulate(bowl, temperature=0.1, dt=0.05, n_steps=100, n_particles=2000, start=0.0, save_at=6)
    plane, spread = plots.draw_cloud(cloud).axes
    variances = [line.get_ydata()[-1] for line in spread.lines]
    assert variances == pytest.approx(cloud["position"].isel(time=-1).var("particle").values)
    assert spread.get_ylabel() == "variance  [x²]"
    assert plane.get_xlabel() == "coordinate x0"


def test_a_cloud_that_is_gone():
    gone = xr.Dataset({"position": (("time", "particle", "coordinate"), np.full((1, 5, 1), np.nan))}, {"time": [0.0]})
    with pytest.raises(ValueError, match="all went to infinity"):
        plots.draw_cloud(gone)
