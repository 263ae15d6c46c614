"""The potential of a cloud or density against the loss."""

import numpy as np
import pytest

import sgdphys as sp
from sgdphys import plots
from sgdphys.landscapes import Quadratic
from sgdphys.noises import Formula, Full, Isotropic


def test_a_gibbs_state_lies_on_the_loss_after_its_scale(well, labels):
    grid = sp.Grid([(-2.5, 2.5, 200)])
    density = sp.fokker_planck.stationary(well, Isotropic(2.0), temperature=0.1, grid=grid)
    figure = plots.draw_potential(density, well)
    upper, lower = figure.axes
    assert labels(upper) == ["loss f/c", "Φ = −T ln p"]
    assert upper.get_ylabel() == "potential  [x²/loss]"
    assert "c = 2 loss²/x²" in figure.get_suptitle()
    assert np.abs(lower.lines[0].get_ydata()).max() < 1e-9


def test_noise_that_depends_on_the_place_leaves_a_distance(well):
    density = sp.fokker_planck.stationary(well, Formula("1 + x**2"), temperature=0.1, grid=sp.Grid([(-3, 3, 200)]))
    figure = plots.draw_potential(density, well)
    assert np.abs(figure.axes[1].lines[0].get_ydata()).max() > 1.0
    given = sp.analysis.potential_distance(density, well, 0.1)
    assert f"{float(given['potential_distance'][0]):.3g}" in figure.get_suptitle()


def test_a_cloud_has_error_bars(cloud, well):
    figure = plots.draw_potential(cloud, well)
    bars = figure.axes[0].containers[0]
    assert bars.has_yerr
    assert " ± " in figure.get_suptitle()
    figure.canvas.draw()


def test_planes_of_two_coordinates():
    bowl, noise = Quadratic(np.eye(2)), Full([[1.0, 0.6], [0.6, 1.0]])
    density = sp.fokker_planck.stationary(bowl, noise, temperature=0.1, grid=sp.Grid([(-2.2, 2.2, 50)] * 2))
    figure = plots.draw_potential(density, bowl)
    figure.canvas.draw()
    contours, difference, bar = figure.axes
    assert contours.get_xlabel() == "coordinate x"
    assert difference.get_ylabel() == "coordinate y"
    assert bar.get_ylabel() == "(Φ − f/c) / T"


def test_refusals(cloud, well):
    with pytest.raises(ValueError, match="frame 9 does not exist, the Dataset has 5"):
        plots.draw_potential(cloud, well, frame=9)
    with pytest.raises(ValueError, match="the run has no single temperature on record: give temperature="):
        plots.draw_potential(cloud.assign_attrs(configuration="{}"), well)
