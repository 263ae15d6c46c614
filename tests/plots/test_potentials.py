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
    assert np.nanmax(np.abs(lower.lines[0].get_ydata())) < 1e-9
    low, high = lower.get_ylim()
    assert low <= -1e-3 < 1e-3 <= high, "rounding does not fill the panel"


def test_noise_that_depends_on_the_place_leaves_a_distance(well):
    density = sp.fokker_planck.stationary(well, Formula("1 + x**2"), temperature=0.1, grid=sp.Grid([(-3, 3, 200)]))
    figure = plots.draw_potential(density, well)
    assert np.nanmax(np.abs(figure.axes[1].lines[0].get_ydata())) > 1.0
    given = sp.analysis.potential_distance(density, well, 0.1)
    assert f"{float(given['potential_distance'][0]):.3g}" in figure.get_suptitle()


def test_a_barrier_that_is_too_high_is_a_gap(well):
    density = sp.fokker_planck.stationary(well, temperature=0.02, grid=sp.Grid([(-2.5, 2.5, 300)]))
    upper, lower = plots.draw_potential(density, well).axes
    loss, phi, difference = upper.lines[0], upper.lines[1], lower.lines[0]
    for line in (loss, phi, difference):
        x, y = line.get_data()
        barrier = np.abs(x) < 0.4  # f there is more than 8 T = 0.16 above the wells
        assert barrier.any()
        assert np.isnan(y[barrier]).all()
        assert np.isfinite(y[np.abs(np.abs(x) - 1.0) < 0.2]).all()


def test_a_cloud_has_error_bars(cloud, well):
    figure = plots.draw_potential(cloud, well)
    bars = figure.axes[0].containers[0]
    assert bars.has_yerr
    x, loss = figure.axes[0].lines[0].get_data()
    scale = float(sp.analysis.potential_distance(cloud.isel(time=[-1]), well, 0.1)["noise_scale"][0])
    known = well.potential(x[:, np.newaxis]) / scale
    assert len(x) > 500, "the loss is known between the cells too"
    assert np.ptp((loss - known)[np.isfinite(loss)]) < 1e-12
    assert " ± " in figure.get_suptitle()
    figure.canvas.draw()


def test_planes_of_two_coordinates():
    bowl, noise = Quadratic(np.eye(2)), Full([[1.0, 0.6], [0.6, 1.0]])
    density = sp.fokker_planck.stationary(bowl, noise, temperature=0.1, grid=sp.Grid([(-2.2, 2.2, 50)] * 2))
    figure = plots.draw_potential(density, bowl)
    figure.canvas.draw()
    contours, difference, bar = figure.axes
    assert contours.get_legend() is None
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["loss f/c", "Φ = −T ln p"]
    assert contours.get_xlabel() == "coordinate x"
    assert difference.get_ylabel() == "coordinate y"
    assert bar.get_ylabel() == "(Φ − f/c) / T"


def test_planes_that_agree_are_white():
    bowl = Quadratic(np.eye(2))
    density = sp.fokker_planck.stationary(bowl, temperature=0.1, grid=sp.Grid([(-2.2, 2.2, 40)] * 2))
    mesh = plots.draw_potential(density, bowl).axes[1].collections[0]
    assert mesh.get_clim() == (-1e-3, 1e-3)
    assert np.nanmax(np.abs(mesh.get_array())) < 1e-9


def test_inertia_has_its_own_units():
    moving = sp.fokker_planck.Underdamped(Quadratic(np.eye(1)), 1.0)
    grid = sp.Grid([(-2, 2, 40), (-2, 2, 40)])
    density = sp.fokker_planck.stationary(moving, temperature=0.1, grid=grid)
    figure = plots.draw_potential(density, Quadratic(np.eye(2)))
    assert figure.get_suptitle().startswith("T = 0.1 loss,  c = 1\n")
    assert figure.axes[0].get_ylabel() == "coordinate v_x  [sqrt(loss)]"


def test_refusals(cloud, well):
    with pytest.raises(ValueError, match="frame 9 does not exist, the Dataset has 5"):
        plots.draw_potential(cloud, well, frame=9)
    with pytest.raises(ValueError, match="the run has no single temperature on record: give temperature="):
        plots.draw_potential(cloud.assign_attrs(configuration="{}"), well)
