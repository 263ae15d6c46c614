"""Ten landscapes, noises and readings: particles and grid differ by no more than sampling explains."""

import numpy as np
import pytest
from asserts import assert_within

import sgdphys as sp
from sgdphys import Grid
from sgdphys.fokker_planck import evolve

COUNT = 40_000
WELL = sp.landscapes.Expression("x**4/4 - x**2/2 + h*x", h=0.1)
TURNED = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
BROKEN = TURNED @ np.diag([1.0, 0.1]) @ TURNED.T
LINE, PLANE = Grid([(-6, 6, 960)]), Grid([(-3, 3, 120), (-3, 3, 120)])
DATA = np.random.default_rng(0).normal(size=(30, 1)), np.random.default_rng(1).normal(size=30)


def multiplicative(reading):
    return sp.noises.Formula("0.5 + x**2/2", interpretation=reading)


def knots(function, low=-3.0, high=3.0, count=61):
    x = np.linspace(low, high, count)
    return [x], function(x)


# landscape, noise, settings, start, time, step, grid
CASES = {
    "double well": (WELL, None, {"temperature": 0.1}, -1.0, 3.0, 0.002, LINE),
    "bowl, growing noise, ito": (sp.landscapes.Quadratic(1.0), multiplicative("ito"), {"temperature": 0.3}, 1.0, 1.0, 0.001, LINE),
    "bowl, growing noise, stratonovich": (
        sp.landscapes.Quadratic(1.0), multiplicative("stratonovich"), {"temperature": 0.3}, 1.0, 1.0, 0.001, LINE,
    ),
    "bowl, growing noise, klimontovich": (
        sp.landscapes.Quadratic(1.0), multiplicative("hanggi-klimontovich"), {"temperature": 0.2}, 1.0, 1.0, 0.001, LINE,
    ),
    "broken balance": (
        sp.landscapes.Quadratic(np.diag([2.0, 0.5])), sp.noises.Full(BROKEN), {"temperature": 0.3}, (1.0, -1.0), 2.0, 0.002, PLANE,
    ),
    "chaudhari and soatto": (
        sp.landscapes.ChaudhariSoatto(rotation=1.5), None, {"temperature": 0.4}, (0.5, 0.0), 2.0, 0.002, PLANE,
    ),
    "gate, unequal noise": (
        sp.landscapes.Expression("x**4/4 - x**2/2 + (1 + 3*exp(-4*x**2))*y**2/2"), sp.noises.Diagonal([1.0, 0.4]),
        {"temperature": 0.2}, (-1.0, 0.5), 2.0, 0.001, PLANE,
    ),
    "tensor of x, klimontovich": (
        sp.landscapes.Quadratic(np.diag([2.0, 1.0])),
        sp.noises.Formula([["1 + 0.5*sin(x)", "0.4*cos(y)"], ["0.4*cos(y)", "0.7"]], interpretation="hanggi-klimontovich"),
        {"temperature": 0.25}, (0.5, 0.5), 1.0, 0.002, PLANE,
    ),
    "tensor of x, ito": (
        sp.landscapes.Quadratic(np.diag([2.0, 1.0])),
        sp.noises.Formula([["1 + 0.5*sin(x)", "0.4*cos(y)"], ["0.4*cos(y)", "0.7"]]),
        {"temperature": 0.25}, (0.5, 0.5), 1.0, 0.002, PLANE,
    ),
    "cooling": (WELL, sp.noises.Isotropic(1.5), {"temperature": sp.schedules.Linear(0.3, 0.1, 0.0, 2.0)}, -1.0, 2.0, 0.002, LINE),
    "dragged": (
        sp.landscapes.Driven(sp.landscapes.Quadratic(2.0), sp.landscapes.Expression("-x"), sp.schedules.Linear(0.0, 3.0, 0.0, 1.0)),
        None, {"temperature": 0.1}, 0.0, 1.0, 0.001, LINE,
    ),
    "tables": (
        sp.landscapes.Tabulated(*knots(lambda x: x**4 / 4 - x**2 / 2)),
        sp.noises.Tabulated(knots(np.abs)[0], 0.5 + knots(np.square)[1][:, None, None] / 2),
        {"temperature": 0.15}, -1.0, 2.0, 0.002, LINE,
    ),
    "least squares": (
        sp.landscapes.LeastSquares(*DATA), sp.noises.GradientCovariance(), {"temperature": 0.1}, 1.0, 1.0, 0.002, LINE,
    ),
}  # fmt: skip
WRONG = {
    "double well": {"temperature": 0.2},
    "bowl, growing noise, ito": {"noise": multiplicative("hanggi-klimontovich")},
    "bowl, growing noise, stratonovich": {"noise": multiplicative("ito")},
    "broken balance": {"noise": sp.noises.Diagonal(np.diagonal(BROKEN))},
    "chaudhari and soatto": {"landscape": sp.landscapes.ChaudhariSoatto(rotation=-1.5)},
    "tensor of x, ito": {"noise": CASES["tensor of x, klimontovich"][1]},
    "cooling": {"temperature": 0.2},
}


def frames(name):
    landscape, noise, settings, start, time, dt, grid = CASES[name]
    cloud = sp.simulate(
        landscape, noise, n_particles=COUNT, start=start, t1=time, dt=dt, save_at=[0.5 * time, time], seed=7, **settings
    )
    return cloud, {"landscape": landscape, "noise": noise, "grid": grid, "start": start, **settings}, time


def excess(cloud, problem, time):
    problem = dict(problem)
    landscape, noise = problem.pop("landscape"), problem.pop("noise")
    density = evolve(landscape, noise, times=[0.5 * time, time], **problem)
    merge = 12 if density["density"].ndim == 2 else 8
    return sp.analysis.total_variation(cloud, density, merge=merge)


@pytest.mark.parametrize("name", CASES)
def test_counts_agree_within_sampling_error(name):
    cloud, problem, time = frames(name)
    distance = excess(cloud, problem, time)
    assert_within(
        distance["total_variation"], distance["expected_total_variation"], distance["total_variation_standard_error"]
    )
    if name in WRONG:
        wrong = excess(cloud, problem | WRONG[name], time)["total_variation_z"].values
        assert np.all(np.abs(wrong[-1:]) > 10), wrong
