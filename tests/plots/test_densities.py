"""Densities as lines and as planes."""

import numpy as np

import sgdphys as sp
from sgdphys import plots
from sgdphys.landscapes import Quadratic


def test_density_lines(density, stationary, labels):
    axes = plots.draw_density(density, stationary=stationary).axes[0]
    assert labels(axes) == ["t = 0", "t = 5", "t = 10", "t = 15", "t = 20", "stationary"]
    assert axes.get_ylim()[1] < 0.5 * float(density["density"].max()), "the spike at t = 0 is cut"


def test_density_planes():
    grid = sp.Grid([(-2, 2, 40), (-2, 2, 40)])
    density = sp.fokker_planck.evolve(
        Quadratic(np.eye(2)), temperature=0.1, grid=grid, start=[0.5, 0.5], times=[0, 1, 3]
    )
    figure = plots.draw_density(density, landscape=Quadratic(np.eye(2)))
    assert [axes.get_title() for axes in figure.axes[:3]] == ["t = 0", "t = 1", "t = 3"]


def test_a_stationary_plane_and_a_point(labels):
    bowl, grid = Quadratic(np.eye(2)), sp.Grid([(-9, 9, 90), (-9, 9, 90)])
    stationary = sp.fokker_planck.stationary(bowl, temperature=0.1, grid=grid)
    axes = plots.draw_density(stationary, landscape=bowl).axes[0]
    assert axes.get_title() == "stationary"
    assert 1.0 < axes.get_xlim()[1] < 2.5, "only where the density is: exp(-x^2/0.2) = 1e-6 at x = 1.66"
    point = sp.fokker_planck.evolve(bowl, temperature=0.1, grid=grid, start=[0.1, 0.1], times=[0])
    figure = plots.draw_density(point, landscape=bowl)
    figure.canvas.draw()
    low, high = figure.axes[0].get_xlim()
    assert low < 0.1 < high
    assert high - low < 5
