"""Levels of relaxation rates and their slowest modes."""

import numpy as np
import pytest

import sgdphys as sp
from sgdphys import plots
from sgdphys.fokker_planck import relaxation_rates
from sgdphys.landscapes import Expression, Field, Quadratic


def test_levels_and_modes_of_a_bowl(labels):
    spectrum = relaxation_rates(Quadratic(np.eye(1)), temperature=0.1, grid=sp.Grid([(-2.2, 2.2, 120)]), count=6)
    figure = plots.draw_relaxation_spectrum(spectrum)
    levels, left, right = figure.axes
    assert levels.get_yscale() == "linear"
    heights = [float(level.get_segments()[0][0][1]) for level in levels.collections]
    assert heights == pytest.approx([0, 1, 2, 3, 4, 5], abs=0.05)
    assert levels.get_ylabel() == "relaxation rate λ  [loss/x²]"
    assert labels(left) == ["mode 0", "mode 1", "mode 2", "mode 3"]
    x, first = left.lines[1].get_data()
    seen = np.isfinite(first)
    assert np.polyfit(x[seen], first[seen], 1) == pytest.approx([0.1**-0.5, 0.0], abs=0.02)
    assert right.get_ylabel() == "right mode r  [1/x]"


def test_a_barrier_makes_the_axis_logarithmic(well):
    spectrum = relaxation_rates(well, temperature=0.05, grid=sp.Grid([(-2, 2, 120)]), count=4)
    levels = plots.draw_relaxation_spectrum(spectrum).axes[0]
    assert levels.get_yscale() == "log"
    assert levels.get_title() == "mode 0, stationary, has rate 0"
    assert len(levels.collections) == 3


def test_modes_that_turn_are_drawn_once():
    turning = Field(Quadratic(np.eye(2)), ["-y", "x"])
    spectrum = relaxation_rates(turning, temperature=0.2, grid=sp.Grid([(-2.5, 2.5, 30)] * 2), count=5)
    figure = plots.draw_relaxation_spectrum(spectrum)
    figure.canvas.draw()
    titles = [axes.get_title() for axes in figure.axes if axes.get_title().startswith("mode")]
    assert titles[0].startswith("mode 1, λ = 0.9")
    assert titles[0].endswith(" i")
    assert titles[1].startswith("mode 3"), "mode 2 is the conjugate of mode 1"


def test_the_dataset_chooses_it(well, density):
    spectrum = relaxation_rates(well, temperature=0.2, grid=sp.Grid([(-2, 2, 60)]), count=4)
    assert len(plots.draw_dataset(spectrum).axes) == 3
    with pytest.raises(ValueError, match="a relaxation spectrum needs"):
        plots.draw_relaxation_spectrum(density)


@pytest.fixture(scope="module")
def two_wells():
    wells = Expression("(x**2 - 1)**2/4 + y**2/2")
    return relaxation_rates(wells, temperature=0.08, grid=sp.Grid([(-2, 2, 40), (-1.6, 1.6, 30)]), count=7)


def test_every_level_of_a_plane_has_a_label_and_a_colour_of_its_own(two_wells):
    assert 0 < float(two_wells["relaxation_rate"][1]) < 0.02 * float(two_wells["relaxation_rate"][-1])
    for spectrum in (two_wells, two_wells.isel(mode=slice(0, 5))):
        levels = plots.draw_relaxation_spectrum(spectrum).axes[0]
        count = spectrum.sizes["mode"]
        drawn = range(1, count) if levels.get_yscale() == "log" else range(count)
        assert [text.get_text().partition(":")[0] for text in levels.texts] == [str(mode) for mode in drawn]
        colours = {tuple(level.get_colors()[0]) for level in levels.collections}
        assert len(colours) == len(drawn)
        places = sorted(text.get_position()[1] for text in levels.texts)
        assert np.diff(places).min() > 0.04, "labels do not overlap"


def test_a_slow_mode_beside_0_keeps_its_label():
    spectrum = relaxation_rates(Quadratic(np.eye(1)), temperature=0.1, grid=sp.Grid([(-2.2, 2.2, 60)]), count=5)
    spectrum["relaxation_rate"].values[:] = [0.0, 0.1, 1.0, 2.0, 2.0]
    levels = plots.draw_relaxation_spectrum(spectrum).axes[0]
    assert levels.get_yscale() == "linear"
    assert [text.get_text() for text in levels.texts] == ["0: 0", "1: 0.1", "2: 1", "3: 2", "4: 2"]
