"""Energies over time, with bands of standard errors."""

import pytest

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
    assert panels[2].containers[0].has_yerr
    with pytest.raises(ValueError, match="is in this Dataset nothing"):
        plots.draw_energies({"grid": exact, "nothing": cloud})


def test_a_stationary_state_has_no_logarithm(stationary, well):
    energies = sp.analysis.free_energy(stationary, well, temperature=0.1)
    energies["relative_entropy"] = 0.0 * energies["relative_entropy"]
    axes = plots.draw_energies(energies).axes[3]
    assert axes.get_yscale() == "linear"
    assert [text.get_text() for text in axes.texts] == ["0 within errors"]
