"""Currents as arrows over a plane and as lines below a density."""

import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys import plots
from sgdphys.landscapes import ChaudhariSoatto, Expression, Quadratic
from sgdphys.plots.currents import flows


@pytest.fixture(scope="module")
def circulating():
    grid = sp.Grid([(-4, 4, 60), (-5, 5, 60)])
    return sp.fokker_planck.stationary(ChaudhariSoatto(), temperature=1.0, grid=grid)


@pytest.fixture(scope="module")
def driven_round_a_ring():
    ring = sp.Grid([(-np.pi, np.pi, 100)], boundaries="periodic")
    return sp.fokker_planck.stationary(Expression("cos(x) - 0.3*x"), temperature=0.3, grid=ring)


def _quivers(axes):
    return [artist for artist in axes.collections if hasattr(artist, "U")]


@pytest.mark.parametrize(("arrows", "unit"), [("current", "loss/x³"), ("velocity", "loss/x")])
def test_arrows_turn_with_the_circulation(circulating, arrows, unit):
    figure = plots.draw_current(circulating, arrows=arrows, landscape=ChaudhariSoatto())
    figure.canvas.draw()
    axes = figure.axes[0]
    (quiver,) = _quivers(axes)
    assert 100 < quiver.N < 25 * 25
    turning = quiver.X * quiver.V - quiver.Y * quiver.U
    length = np.hypot(quiver.U, quiver.V)
    assert np.all(turning[length > 0.3 * length.max()] > 0), "anticlockwise"
    (key,) = [artist for artist in axes.artists if hasattr(artist, "label")]
    assert key.label == f"{arrows}, {key.U:.3g} {unit}"
    backwards = sp.fokker_planck.stationary(
        ChaudhariSoatto(-1.5), temperature=1.0, grid=sp.Grid([(-4, 4, 60), (-5, 5, 60)])
    )
    (other,) = _quivers(plots.draw_current(backwards, arrows=arrows).axes[0])
    assert float((other.X * other.V - other.Y * other.U).sum()) < 0


def test_an_arrow_is_the_mean_of_its_block(circulating):
    (quiver,) = _quivers(plots.draw_current(circulating).axes[0])
    grid = [circulating[name].values for name in ("x", "y")]
    first = int(np.argmax(np.hypot(quiver.U, quiver.V)))
    near = [np.argsort(np.abs(axis - place[first]))[:2] for axis, place in zip(grid, (quiver.X, quiver.Y), strict=True)]
    current = circulating["current"].values[0][np.ix_(*near)].mean(axis=(0, 1))
    assert [quiver.U[first], quiver.V[first]] == pytest.approx(current.tolist(), rel=0.05)


def test_a_line_has_its_current_below(driven_round_a_ring):
    figure = plots.draw_current(driven_round_a_ring)
    upper, lower = figure.axes
    flow = lower.lines[0].get_ydata()
    assert np.ptp(flow) < 1e-9 * flow.max(), "a stationary current on a ring is the same everywhere"
    assert lower.get_ylabel() == "probability current J  [loss/x²]"
    velocity = plots.draw_current(driven_round_a_ring, arrows="velocity").axes[1].lines[0].get_ydata()
    assert velocity * upper.lines[0].get_ydata() == pytest.approx(flow)


def test_frames_of_an_evolving_line(well, labels):
    grid = sp.Grid([(-2.2, 2.2, 100)])
    density = sp.fokker_planck.evolve(well, temperature=0.1, grid=grid, start=0.2, times=[0, 0.5, 2], currents=True)
    upper, lower = plots.draw_current(density).axes
    assert labels(upper) == ["t = 0", "t = 0.5", "t = 2"]
    assert lower.get_ylim()[1] < 0.5 * float(density["current"].max()), "the spike at t = 0 is cut"
    later = density["current"].isel(time=slice(1, None))
    assert lower.get_ylim()[1] > float(later.max()), "but nothing else is"
    assert labels(plots.draw_current(density, frame=1).axes[0]) == ["t = 0.5"]
    assert labels(plots.draw_current(density, frame=[0, -1]).axes[0]) == ["t = 0", "t = 2"]


def test_frames_of_a_late_change_are_chosen(driven_round_a_ring, labels):
    still = driven_round_a_ring.isel(time=0)
    moved = still.roll(x=25, roll_coords=False) * 4
    times = np.arange(0.0, 100.0, 2.0)
    series = [still if time < 60 else moved if time < 62 else still * 1.5 for time in times]
    density = xr.concat(series, "time").assign_coords(time=times).transpose("time", "x", ...)
    density = density.assign_attrs(configuration="{}")
    upper, lower = plots.draw_current(density).axes
    assert labels(upper) == ["t = 0", "t = 60", "t = 62", "t = 98"]
    assert lower.get_ylim()[1] > float(density["current"].max()), "the largest current shown is inside"


def test_rounding_is_no_current(circulating, stationary):
    assert flows(circulating)
    assert not flows(stationary)
    assert float(abs(stationary["current"]).max()) > 0
    bowl = sp.fokker_planck.stationary(Quadratic(np.eye(2)), temperature=0.1, grid=sp.Grid([(-2, 2, 40)] * 2))
    axes = plots.draw_current(bowl).axes[0]
    assert not _quivers(axes)
    assert axes.get_title(loc="right") == "no current"


def test_the_loss_has_few_contours_and_a_name(circulating):
    figure = plots.draw_current(circulating, landscape=ChaudhariSoatto())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["contours of the loss"]
    (contours,) = [artist for artist in figure.axes[0].collections if hasattr(artist, "levels")]
    assert 6 <= len(contours.levels) <= 8
    assert not plots.draw_current(circulating).legends
    panels = [axes for axes in plots.draw_current(circulating, frame=[0, 0]).axes if _quivers(axes)]
    assert len(panels) == 2


@pytest.mark.parametrize(
    ("arrows", "unit"),
    [("current", "its coordinate sqrt(loss)/x / (x sqrt(loss))"), ("velocity", "its coordinate sqrt(loss)/x")],
)
def test_inertia_has_its_own_units(arrows, unit):
    moving = sp.fokker_planck.Underdamped(Quadratic(np.eye(1)), 1.0)
    density = sp.fokker_planck.stationary(moving, temperature=0.1, grid=sp.Grid([(-2, 2, 40), (-2, 2, 40)]))
    axes = plots.draw_current(density, arrows=arrows).axes
    (key,) = [artist for artist in axes[0].artists if hasattr(artist, "label")]
    assert key.label.endswith(unit)
    assert axes[0].get_ylabel() == "coordinate v_x  [sqrt(loss)]"
    assert axes[1].get_ylabel() == "probability density  [1/(x sqrt(loss))]"


def test_refusals(circulating, density, cloud):
    with pytest.raises(ValueError, match="has no current: evolve with currents=True"):
        plots.draw_current(density)
    with pytest.raises(ValueError, match="arrows must be current or velocity, got 'flux'"):
        plots.draw_current(circulating, arrows="flux")
    with pytest.raises(ValueError, match="frame 3 does not exist, the density has 1"):
        plots.draw_current(circulating, frame=3)
    with pytest.raises(ValueError, match="frame -2 does not exist, the density has 1"):
        plots.draw_current(circulating, frame=[0, -2])
    with pytest.raises(ValueError, match="frame must name at least one frame"):
        plots.draw_current(circulating, frame=[])
    with pytest.raises(ValueError, match=r"a density needs density\(time, x, \.\.\.\)"):
        plots.draw_current(cloud)
