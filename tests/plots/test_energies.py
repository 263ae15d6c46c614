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
