"""Starts outside a target."""

import argparse

import pytest

from sgdphys import Grid
from sgdphys.cli.passages import start_outside
from sgdphys.cli.starts import Start, choose_start
from sgdphys.landscapes import Expression

GRID = Grid([(-5.0, 5.0, 301)])


def _chosen(formula, target, grid=GRID, start=None, velocities=()):
    landscape = Expression(formula)
    arguments = argparse.Namespace(target=target, source=None, start=start)
    return start_outside(arguments, landscape, grid, choose_start(landscape, start), velocities)


def test_a_start_outside_is_kept():
    assert _chosen("(x - 1)**2", "x < 0") == Start(1.0, "minimum found by descent from the origin")


def test_a_given_start_is_kept_wherever_it_is():
    assert _chosen("(x - 1)**2", "x > 0", start=[1.0]) == Start(1.0, "as given")


def test_the_lowest_minimum_outside_is_chosen():
    three = "1 - cos(2*x) - x/10 + x**2/100"  # minima near 0, pi, -pi, of rising x lower
    chosen = _chosen(three, "x > -1 and x < 1")
    assert 3 < chosen.value < 3.3
    assert -3.3 < _chosen(three, "x > -1").value < -3


def test_minima_of_two_coordinates():
    wells = "x**4/4 - x**2/2 + y**2"
    grid = Grid([(-2.0, 2.0, 41), (-1.0, 1.0, 21)])
    assert _chosen(wells, "x > 0", grid).value == pytest.approx([-1.0, 0.0], abs=1e-6)


def test_with_inertia_the_target_holds_positions_and_velocities():
    grid = Grid([(-2.0, 2.0, 41), (-1.0, 1.0, 21)])
    assert _chosen("x**4/4 - x**2/2", "x > 0 and y > -1", grid, velocities=(0.0,)).value == -1.0
    assert _chosen("x**4/4 - x**2/2", "x > 0 and y > 0.5", grid, velocities=(0.0,)).value == 1.0


def test_nothing_outside_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"^start 1 \(.*\) lies in the target x > 0, and .*: give --start$"):
        _chosen("(x - 1)**2", "x > 0")
