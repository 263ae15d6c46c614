"""Every landscape has the properties of a landscape."""

import math

import asserts
import numpy as np
import pytest
from numba import njit

from sgdphys import landscapes
from sgdphys.landscapes import (
    ChaudhariSoatto,
    Custom,
    DoubleWell,
    Expression,
    Field,
    FlatSharp,
    Linear,
    MuellerBrown,
    Quadratic,
    Scaled,
    Sum,
    Tabulated,
    Tilted,
)
from sgdphys.protocols import Curved, Landscape


@njit
def wave(x):
    return math.sin(x)


def coupled_potential(x, y):
    return 0.5 * x**2 + wave(x) * y + y**4


def coupled_gradient(x, y):
    return x + math.cos(x) * y, wave(x) + 4 * y**3


def bowl_potential(x):
    return 0.25 * np.sum(x**4)


def bowl_gradient(x):
    return x**3


ROTATED = np.array([[2.0, 0.5, 0.0], [0.5, -1.0, 0.3], [0.0, 0.3, 4.0]])
LARGE = np.cov(np.random.default_rng(5).normal(size=(40, 200)))
BASIS = np.linalg.qr(np.random.default_rng(6).normal(size=(12, 3)))[0]
KNOTS = [np.linspace(-1.5, 2, 9), np.linspace(-1, 2, 7), np.linspace(-2, 1, 6)]  # points lie beyond them too
TABLE = np.random.default_rng(7).normal(size=(9, 7, 6))

OURS = {
    "double well": DoubleWell(),
    "double well of other size": DoubleWell(barrier=2.0, distance=3.0),
    "mueller-brown": MuellerBrown(),
    "flat and sharp": FlatSharp(),
    "sharp left, deep": FlatSharp(positions=(2.0, -1.0), depths=(0.0, 0.3), curvatures=(1.0, 50.0)),
    "expression, 1-D": Expression("x**4/4 - x**2/2 + h*x", h=0.1),
    "expression, 2-D": Expression("k*log(1 + x**2) + tanh(y)*sin(x) + exp(-y**2/2) + cosh(y)", k=2.0),
    "expression, powers": Expression("(1 + x**2)**1.5 + (2 + sin(y))**p + sqrt(1 + y**2) + 2**x + 1/(2 + x**2)", p=1.7),
    "expression, 5-D": Expression(" + ".join(f"(x{i + 1} - x{i}**2)**2 + (1 - x{i})**2" for i in range(4))),
    "quadratic": Quadratic(ROTATED, constant=-2.0),
    "quadratic, embedded": Quadratic(np.diag([1.0, 2.0, 3.0]), origin=np.arange(12.0), basis=BASIS),
    "quadratic, 40-D": Quadratic(LARGE),
    "ramp": Linear([1.0, -2.0]),
    "sum": DoubleWell() + Quadratic(0.5),
    "multiple": 0.05 * MuellerBrown(),
    "negative multiple": Scaled(DoubleWell(), -1.0),
    "tilted": Tilted(MuellerBrown(), [3.0, -4.0]),
    "field of formulas": Field(MuellerBrown() * 0.1, ["a*sin(y)", "1 + x*y"], a=2.0),
    "field of a matrix": Field(Quadratic(ROTATED), ROTATED - ROTATED.T + np.triu(ROTATED, 1)),
    "field of a large matrix": Field(Quadratic(np.eye(40)), np.triu(LARGE) - np.triu(LARGE).T),
    "field of another": Field(Quadratic(np.eye(2)), ChaudhariSoatto(0.5)),
    "Chaudhari-Soatto": ChaudhariSoatto(),
    "fields in a sum": Tilted(2 * ChaudhariSoatto() + Field(Quadratic(np.eye(2)), ["0", "x"]), [1.0, 2.0]),
    "table, 1-D": Tabulated(KNOTS[0], TABLE[:, 0, 0], names=["q"]),
    "table, 2-D": Tabulated(KNOTS[:2], TABLE[:, :, 0]),
    "table, 3-D": Tabulated(KNOTS, TABLE),
    "table, circulating": 2 * Tabulated(KNOTS[:2], TABLE[:, :, 0], circulation=TABLE[:, :, 1:3]),
    "table, circulating, 3-D": Tabulated(KNOTS, TABLE, circulation=TABLE[..., np.newaxis] ** np.arange(1, 4)),
    "field of a table": Field(MuellerBrown() * 0.1, Tabulated(KNOTS[:2], TABLE[:, :, 0], circulation=TABLE[:, :, 1:3])),
    "nested": Sum(2 * Tilted(DoubleWell(), 0.1), Expression("sin(x)")),
}
CUSTOM = {
    "custom, 2-D": lambda: Custom(coupled_potential, coupled_gradient),
    "custom, njit": lambda: Custom(njit(coupled_potential), njit(coupled_gradient)),
    "custom, array": lambda: Custom(bowl_potential, bowl_gradient, dim=3),
    "custom, 1-D": lambda: Custom(lambda x: math.cos(x), lambda x: -math.sin(x)),
    "custom in a sum": lambda: Custom(coupled_potential, coupled_gradient) + MuellerBrown() * 0.01,
}


@pytest.fixture(params=[*OURS, *CUSTOM])
def landscape(request):
    return OURS[request.param] if request.param in OURS else CUSTOM[request.param]()


@pytest.fixture
def points(landscape):
    return np.random.default_rng(1).normal(scale=0.8, size=(300, landscape.dim))


def test_fits_the_protocols(landscape):
    assert isinstance(landscape, Landscape)
    assert isinstance(landscape, Curved)
    assert len(landscape.coordinate_names) == landscape.dim


def test_gradient_is_the_derivative_of_the_potential(landscape, points):
    asserts.assert_gradient_is_derivative(landscape, points)


def test_hessian_is_the_derivative_of_the_gradient(landscape, points):
    asserts.assert_hessian_is_derivative(landscape, points)


def test_known_minima_and_saddles_are_critical(landscape):
    asserts.assert_critical_points(landscape)


def test_a_value_does_not_depend_on_its_neighbours(landscape, points):
    assert np.array_equal(landscape.gradient(points)[:7], landscape.gradient(points[:7]))
    assert np.array_equal(landscape.potential(points)[290:], landscape.potential(points[290:]))


def test_a_lost_particle_stays_lost_and_alone(landscape, points):
    lost = points.copy()
    lost[3] = np.nan
    values = landscape.potential(lost)
    if not isinstance(landscape, Linear):
        assert not np.isfinite(values[3])
    assert np.array_equal(np.delete(values, 3), np.delete(landscape.potential(points), 3))


def test_points_of_another_shape_are_refused(landscape):
    with pytest.raises(ValueError, match="shape"):
        landscape.potential(np.zeros(landscape.dim))
    with pytest.raises(ValueError, match="shape"):
        landscape.gradient(np.zeros((5, landscape.dim + 1)))


@pytest.mark.parametrize("name", OURS)
def test_configuration_makes_the_landscape_again(name):
    points = np.random.default_rng(2).normal(size=(20, OURS[name].dim))
    asserts.assert_configuration_is_complete(OURS[name], landscapes.restore, points)


def test_no_points_give_no_values(landscape):
    assert landscape.potential(np.zeros((0, landscape.dim))).shape == (0,)
    assert landscape.gradient(np.zeros((0, landscape.dim))).shape == (0, landscape.dim)
    assert landscape.hessian(np.zeros((0, landscape.dim))).shape == (0, landscape.dim, landscape.dim)
