"""Energies over time, with bands of standard errors."""

import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys import plots


def test_energies_with_bands_and_grid(cloud, density, labels, well):
    energies = sp.analysis.free_energy(cloud.isel(time=slice(1, None)), well, temperature=0.1)
    exact = sp.analysis.free_energy(density.isel(time=slice(1, None)), well, temperature=0.1)
    figure = plots.draw_energies(energies, reference=exact)
    expected = ["entropy H  [nat]", "mean potential E[Φ]  [loss]", "free energy F  [loss]"]
    assert [axes.get_ylabel() for axes in figure.axes] == expected
    assert labels(figure.axes[2]) == ["cloud", "± 2 standard errors", "grid"]
    with pytest.raises(ValueError, match="none of entropy"):
        plots.draw_energies(cloud)


def test_grid_and_cloud_in_one_picture(cloud, density, stationary, labels, well):
    frames = slice(1, None)
    exact = sp.analysis.free_energy(density.isel(time=frames), well, temperature=0.1)
    counted = sp.analysis.free_energy(cloud.isel(time=frames), well, temperature=0.1, reference=stationary)
    panels = plots.draw_energies({"grid": exact, "cloud": counted}).axes
    assert len(panels) == 4
    assert labels(panels[3]) == ["grid", "cloud"]
    assert panels[3].get_yscale() == "log"
    assert panels[3].get_ylabel() == "relative entropy to stationary KL  [nat]"
    falling = panels[3].lines[0].get_ydata()
    assert falling.tolist() == exact["relative_entropy"].values.tolist()
    smallest = float(counted["relative_entropy_standard_error"].min())
    assert panels[3].get_ylim()[0] > 0.4 * smallest, "the grid goes on falling where the cloud has only noise"
    assert panels[2].containers[0].has_yerr
    with pytest.raises(ValueError, match="is in this Dataset nothing"):
        plots.draw_energies({"grid": exact, "nothing": cloud})


def test_a_stationary_state_has_no_logarithm(stationary, well):
    energies = sp.analysis.free_energy(stationary, well, temperature=0.1)
    energies["relative_entropy"] = 0.0 * energies["relative_entropy"]
    axes = plots.draw_energies(energies).axes[3]
    assert axes.get_yscale() == "linear"
    assert [text.get_text() for text in axes.texts] == ["0 within errors"]


def _decaying(first):
    """Return relative entropies of a cloud whose first frame has the value given."""
    time, values = np.arange(6.0), [first, 0.142, 0.067, 0.037, 0.009, 0.005]
    variables = {
        "relative_entropy": ("time", values),
        "relative_entropy_standard_error": ("time", [np.inf] + [0.006] * 5),
    }
    return xr.Dataset(variables, {"time": time})


@pytest.mark.parametrize("first", [np.inf, np.nan])
def test_a_start_in_a_point_is_left_out(first, labels):
    cloud = _decaying(first)
    (axes,) = plots.draw_energies(cloud).axes
    assert not axes.texts
    assert axes.get_yscale() == "log"
    shown = np.isfinite(axes.lines[0].get_ydata())
    assert np.flatnonzero(shown).tolist() == [1, 2, 3], "what comes later is within two errors of 0"
    grid = xr.Dataset({"relative_entropy": ("time", np.exp(-6.0 * np.arange(6)))}, {"time": np.arange(6.0)})
    for figure in (plots.draw_energies({"grid": grid, "cloud": cloud}), plots.draw_energies(cloud, reference=grid)):
        (axes,) = figure.axes
        assert "cloud" in labels(axes)
        assert axes.get_ylim()[0] == pytest.approx(0.003)
        assert axes.get_ylim()[1] < 10, "an infinite error does not stretch the axis"
        figure.canvas.draw()


def test_nothing_finite_is_said_and_named_in_no_legend(labels):
    cloud = _decaying(np.inf).isel(time=[0])
    (axes,) = plots.draw_energies(cloud).axes
    assert [text.get_text() for text in axes.texts] == ["nowhere finite"]
    figure = plots.draw_energies({"cloud": cloud, "other": _decaying(1.0)})
    assert labels(figure.axes[0]) == ["other"]
    assert not figure.axes[0].texts


def test_a_grid_alone_is_followed_to_rounding():
    grid = xr.Dataset({"relative_entropy": ("time", 10.0 ** -np.arange(16))}, {"time": np.arange(16.0)})
    (axes,) = plots.draw_energies(grid).axes
    assert np.nanmin(axes.lines[0].get_ydata()) == pytest.approx(1e-11)
