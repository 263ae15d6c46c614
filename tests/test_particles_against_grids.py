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


BOWL, STEEP = sp.landscapes.Quadratic(1.0), sp.landscapes.Quadratic(np.diag([2.0, 1.0]))
TENSOR = [["1 + 0.5*sin(x)", "0.4*cos(y)"], ["0.4*cos(y)", "0.7"]]
GATE = sp.landscapes.Expression("x**4/4 - x**2/2 + (1 + 3*exp(-4*x**2))*y**2/2")
DRAGGED = sp.landscapes.Driven(
    sp.landscapes.Quadratic(2.0), sp.landscapes.Expression("-x"), sp.schedules.Linear(0.0, 3.0, 0.0, 1.0)
)
TABLE = sp.landscapes.Tabulated(*knots(lambda x: x**4 / 4 - x**2 / 2))
TABLED_NOISE = sp.noises.Tabulated(knots(np.abs)[0], 0.5 + knots(np.square)[1][:, None, None] / 2)
COOLING = sp.schedules.Linear(0.3, 0.1, 0.0, 2.0)

# landscape, noise, temperature, start, time, step, grid
CASES = {
    "double well": (WELL, None, 0.1, -1.0, 3.0, 0.002, LINE),
    "growing noise, ito": (BOWL, multiplicative("ito"), 0.3, 1.0, 1.0, 0.001, LINE),
    "growing noise, stratonovich": (BOWL, multiplicative("stratonovich"), 0.3, 1.0, 1.0, 0.001, LINE),
    "growing noise, klimontovich": (BOWL, multiplicative("hanggi-klimontovich"), 0.2, 1.0, 1.0, 0.001, LINE),
    "broken balance": (
        sp.landscapes.Quadratic(np.diag([2.0, 0.5])), sp.noises.Full(BROKEN), 0.3, (1.0, -1.0), 2.0, 0.002, PLANE,
    ),
    "chaudhari and soatto": (sp.landscapes.ChaudhariSoatto(1.5), None, 0.4, (0.5, 0.0), 2.0, 0.002, PLANE),
    "gate, unequal noise": (GATE, sp.noises.Diagonal([1.0, 0.4]), 0.2, (-1.0, 0.5), 2.0, 0.001, PLANE),
    "tensor of x, klimontovich": (
        STEEP, sp.noises.Formula(TENSOR, interpretation="hanggi-klimontovich"), 0.25, (0.5, 0.5), 1.0, 0.002, PLANE,
    ),
    "tensor of x, ito": (STEEP, sp.noises.Formula(TENSOR), 0.25, (0.5, 0.5), 1.0, 0.002, PLANE),
    "cooling": (WELL, sp.noises.Isotropic(1.5), COOLING, -1.0, 2.0, 0.002, LINE),
    "dragged": (DRAGGED, None, 0.1, 0.0, 1.0, 0.001, LINE),
    "tables": (TABLE, TABLED_NOISE, 0.15, -1.0, 2.0, 0.002, LINE),
    "least squares": (sp.landscapes.LeastSquares(*DATA), sp.noises.GradientCovariance(), 0.1, 1.0, 1.0, 0.002, LINE),
}  # fmt: skip
WRONG = {
    "double well": {"temperature": 0.2},
    "growing noise, ito": {"noise": multiplicative("hanggi-klimontovich")},
    "growing noise, stratonovich": {"noise": multiplicative("ito")},
    "broken balance": {"noise": sp.noises.Diagonal(np.diagonal(BROKEN))},
    "chaudhari and soatto": {"landscape": sp.landscapes.ChaudhariSoatto(-1.5)},
    "tensor of x, ito": {"noise": CASES["tensor of x, klimontovich"][1]},
    "cooling": {"temperature": 0.2},
}


def frames(name):
    landscape, noise, temperature, start, time, dt, grid = CASES[name]
    shared = {"landscape": landscape, "noise": noise, "temperature": temperature, "start": start}
    run = {"n_particles": COUNT, "t1": time, "dt": dt, "save_at": [0.5 * time, time], "seed": 7, "progress": False}
    return sp.simulate(**shared, **run), shared | {"grid": grid}, time


def distance(cloud, problem, time):
    density = evolve(times=[0.5 * time, time], **problem)
    return sp.analysis.total_variation(cloud, density, merge=12 if density["density"].ndim == 3 else 8)


@pytest.mark.parametrize("name", CASES)
def test_counts_agree_within_sampling_error(name):
    cloud, problem, time = frames(name)
    found = distance(cloud, problem, time)
    assert_within(found["total_variation"], found["expected_total_variation"], found["total_variation_standard_error"])
    if name in WRONG:
        wrong = distance(cloud, problem | WRONG[name], time)["total_variation_z"].values
        assert wrong[-1] > 10


@pytest.mark.parametrize("friction", [0.5, 5.0])
def test_positions_and_velocities_agree_within_sampling_error(friction):
    # BAOAB from rest at dt = .02: its error is a hundredth of the sampling error
    run = {"n_particles": COUNT, "start": -1.0, "t1": 4.0, "dt": 0.02, "save_at": [2.0, 4.0], "seed": 3}
    integrator = sp.integrators.BAOAB(friction=friction)
    cloud = sp.simulate(WELL, temperature=0.2, integrator=integrator, progress=False, **run)
    grid = Grid([(-2.6, 2.6, 156), (-2.6, 2.6, 156)])
    width = 2 * grid.spacing[0]

    def start(points):  # as narrow as the cells can hold
        return np.exp(-((points - [-1.0, 0.0]) ** 2).sum(axis=1) / (2 * width**2))

    motion = sp.fokker_planck.Underdamped(WELL, friction)
    density = evolve(motion, temperature=0.2, grid=grid, start=start, times=[2.0, 4.0])
    found = sp.analysis.total_variation(sp.analysis.phase_space(cloud).isel(time=[-1]), density, merge=13)
    assert_within(found["total_variation"], found["expected_total_variation"], found["total_variation_standard_error"])
    hot = evolve(motion, temperature=0.4, grid=grid, start=start, times=[4.0])
    wrong = sp.analysis.total_variation(sp.analysis.phase_space(cloud).isel(time=[-1]), hot, merge=13)
    assert float(wrong["total_variation_z"][0]) > 10
