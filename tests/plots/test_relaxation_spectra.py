"""Levels of relaxation rates and their slowest modes."""

import numpy as np
import pytest

import sgdphys as sp
from sgdphys import plots
from sgdphys.fokker_planck import relaxation_rates
from sgdphys.landscapes import Field, Quadratic


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
