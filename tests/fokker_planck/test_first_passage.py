from dataclasses import dataclass

import numpy as np
import pytest
from asserts import assert_second_order
from grid_landscapes import Bowl, Well

from sgdphys import SGD, landscapes
from sgdphys.errors import FormulaError
from sgdphys.fokker_planck import Grid, elimination, exit_sums, mean_first_passage_time
from sgdphys.noises import Diagonal, Full, Isotropic

LINE = Grid([(-3, 3, 800)])


@pytest.mark.parametrize(
    ("temperature", "across", "to_the_top"),
    [
        (0.125, 41.0343, 18.4262), (0.1, 66.2686, 30.8213), (0.08, 120.006, 57.4783), (0.0625, 277.055, 135.783),
        (0.05, 729.671, 361.904), (0.04, 2483.03, 1238.4), (0.03, 19485.8, 9739.57),
    ],
)  # fmt: skip
def test_times_of_the_double_well(temperature, across, to_the_top):
    # double quadrature of the backward equation; bare Kramers is 10 to 20 % off, and the top is not half way
    settings = {"temperature": temperature, "grid": Grid([(-2.5, 2.5, 1000)]), "start": -1.0}
    found = mean_first_passage_time(Well(), target="x > 1", **settings)
    assert float(found) == pytest.approx(across, rel=1e-4)
    found = mean_first_passage_time(Well(), target="x > 0", **settings)
    assert float(found) == pytest.approx(to_the_top, rel=1e-4)


class TwoParabolas:
    """A well of curvature 4 joined smoothly to a barrier of curvature -1, .6 high."""

    dim, joint, top = 1, np.sqrt(0.06), 5 * np.sqrt(0.06)

    def potential(self, x):
        return np.where(x < self.joint, 2 * x**2, 0.6 - (x - self.top) ** 2 / 2)[:, 0]

    def gradient(self, x):
        return np.where(x < self.joint, 4 * x, self.top - x)


@dataclass(frozen=True)
class NoiseOfCurvature:
    """D = 4 in the well and 1 beyond its end."""

    interpretation: str
    additive = False

    def diffusion(self, x):
        return (4 - 1.5 * (1 + np.tanh((x - TwoParabolas.joint) / 0.05)))[:, :, None]

    def configuration(self):
        return {"noise": "NoiseOfCurvature", "interpretation": self.interpretation}


@pytest.mark.parametrize(
    ("reading", "time"), [("ito", 55.715), ("stratonovich", 86.180), ("hanggi-klimontovich", 145.576)]
)
def test_exit_times_by_all_readings(reading, time):
    # noise that follows the curvature: the readings differ by a factor of 2.6
    target = f"x > {TwoParabolas.top + 1}"
    grid = Grid([(-2.5, TwoParabolas.top + 1.5, 800)])
    found = mean_first_passage_time(
        TwoParabolas(), NoiseOfCurvature(reading), temperature=0.15, grid=grid, start=0.0, target=target
    )
    assert float(found) == pytest.approx(time, rel=5e-5)


def test_times_from_everywhere():
    grid = Grid([(-2, 2, 40), (-1, 1, 20)])
    settings = {"temperature": 0.1, "grid": grid, "target": "x > 1"}
    field = mean_first_passage_time(Well(dim=2), **settings)
    assert field.dims == ("x", "y")
    assert field.attrs["units"] == "x^2/loss"
    assert np.all((field.values == 0) == (field["x"].values > 1)[:, None])
    one = mean_first_passage_time(Well(dim=2), start=(grid.centres[0][7], grid.centres[1][3]), **settings)
    assert float(one) == pytest.approx(float(field[7, 3]), rel=1e-14)


def test_second_order_with_a_diffusion_along_no_axis():
    landscape, noise = landscapes.Expression("x**4/4 - x**2/2 + y**2/2"), Full([[1, 0.8], [0.8, 1]])
    times = [
        float(
            mean_first_passage_time(
                landscape, noise, temperature=0.1, grid=Grid([(-2, 2, cells)] * 2), start=(-1, 0), target="x > 0.97"
            )
        )
        for cells in (30, 60, 120)
    ]
    assert np.log2((times[1] - times[0]) / (times[2] - times[1])) == pytest.approx(2, abs=0.2)


def quadrature(temperature, start, target, points=400_001):
    """Return the time of the double well from its double integral by trapezia, with the wall at -3."""
    x = np.linspace(-3, target, points)
    exponent = (x**4 / 4 - x**2 / 2) / temperature
    weights = np.exp(exponent.min() - exponent)
    below = np.append(0.0, np.cumsum((weights[1:] + weights[:-1]) / 2 * (x[1] - x[0])))[x >= start - 1e-12]
    integrand = np.exp(exponent[x >= start - 1e-12]) * below
    return np.exp(-exponent.min()) / temperature * (integrand.sum() - integrand[[0, -1]].mean()) * (x[1] - x[0])


@pytest.mark.parametrize(("temperature", "time"), [(0.015, 7.88e7), (0.0125, 2.199e9), (0.01, 3.25e11)])
def test_golden_times_at_low_temperature(temperature, time):
    found = mean_first_passage_time(Well(), temperature=temperature, grid=LINE, start=-1.0, target="x > 1")
    assert float(found) == pytest.approx(time, rel=2e-3)  # the digits of the golden number


@pytest.mark.parametrize("temperature", [0.009, 0.007, 0.006, 0.005, 0.003])
def test_rounding_does_not_spoil_long_times(temperature):
    # the error is that of the spacing alone; solved with subtractions the time at .006 came out as -6.5e14
    grid = Grid([(-3, 3, 600)])
    found = mean_first_passage_time(Well(), temperature=temperature, grid=grid, start=-1.0, target="x > 1")
    assert float(found) == pytest.approx(quadrature(temperature, -1.0, 1.0), rel=4e-3)


def test_long_times_in_the_plane():
    # 1e21, far beyond what a factorisation resolves
    settings = {"temperature": 0.005, "target": "x > 1"}
    grid = Grid([(-2, 2, 120), (-0.5, 0.5, 12)])
    plane = mean_first_passage_time(Well(dim=2), grid=grid, start=(-1, 0.1), **settings)
    line = mean_first_passage_time(Well(), grid=Grid([(-2, 2, 120)]), start=-1.0, **settings)
    assert float(line) > 1e21
    assert float(plane) == pytest.approx(float(line), rel=1e-9)


def test_both_solutions_of_the_plane_agree(monkeypatch):
    settings = {"temperature": 0.06, "grid": Grid([(-2, 2, 40), (-1, 1, 20)]), "start": (-1, 0.3)}
    settings |= {"noise": Diagonal([1, 0.3]), "target": "x**2 + y**2 < 0.1 or x > 1 and y < 0"}
    factorised = mean_first_passage_time(Well(dim=2), **settings)
    monkeypatch.setattr(exit_sums, "_EXACT", 0.0)
    assert float(mean_first_passage_time(Well(dim=2), **settings)) == pytest.approx(float(factorised), rel=1e-10)


def test_a_time_lost_in_rounding_is_refused(monkeypatch):
    monkeypatch.setattr(elimination, "_MOST_WORK", 0)
    with pytest.raises(ValueError, match="lost in rounding, with a relative error of about"):
        mean_first_passage_time(Well(), temperature=0.005, grid=LINE, start=-1.0, target="x > 1")


@pytest.mark.parametrize("cells", [61, 600, 6000])
def test_the_time_vanishes_at_the_edge_of_the_target(cells):
    # interpolated to the first centre inside, as if the time were 0 only there, .999 gave .03 on 600 cells
    settings = {"temperature": 0.1, "grid": Grid([(-3, 3, cells)])}
    for start in (1.0, 1.01, 2.9):
        assert float(mean_first_passage_time(Well(), start=start, target="x > 1", **settings)) == 0
        assert float(mean_first_passage_time(Well(), start=-start, target="x < -1", **settings)) == 0
    for start in (0.999, 0.99, 0.97):
        exact = quadrature(0.1, start, 1.0)
        for sign, target in ((1, "x > 1"), (-1, "x < -1")):
            found = mean_first_passage_time(Well(), start=sign * start, target=target, **settings)
            assert float(found) == pytest.approx(exact, rel=0.05 if cells == 61 else 2e-3)


def test_the_time_vanishes_at_an_edge_in_the_plane():
    grid = Grid([(-2, 2, 41), (-2, 2, 40)])
    plane = mean_first_passage_time(Well(dim=2), temperature=0.1, grid=grid, start=(-1, 0.993), target="y > 1")
    exact = mean_first_passage_time(Bowl(), temperature=0.1, grid=Grid([(-2, 2, 40)]), start=0.993, target="x > 1")
    assert 0 < float(plane) == pytest.approx(float(exact), rel=1e-9)


def test_second_order_wherever_the_edge_lies_in_its_cell():
    grids = [Grid([(-3, 3, cells)]) for cells in (101, 202, 404, 3232)]
    arguments = {"temperature": 0.1, "start": -1.0, "target": "0.97 < x"}
    times = [float(mean_first_passage_time(Well(), grid=grid, **arguments)) for grid in grids]
    assert_second_order(np.array(times[:3]) - times[3], slack=0.3)


def test_a_callable_target_absorbs_at_centres():
    grid = Grid([(-3.005, 2.995, 600)])  # a centre lies at x = 1
    found = mean_first_passage_time(Well(), temperature=0.1, grid=grid, start=-1.0, target=lambda x: x[:, 0] > 1 - 1e-9)
    assert float(found) == pytest.approx(66.2686, rel=2e-4)


def test_passage_to_the_left_mirrors_the_right():
    right = mean_first_passage_time(Well(), temperature=0.1, grid=LINE, start=-1.0, target="x > 0.4")
    left = mean_first_passage_time(Well(), temperature=0.1, grid=LINE, start=1.0, target="x < -0.4")
    assert float(left) == pytest.approx(float(right), rel=1e-10)


def test_the_other_coordinate_of_a_separable_landscape_does_not_matter():
    grid = Grid([(-3, 3, 200), (-2, 2, 40)])
    arguments = {"temperature": 0.1, "target": "x > 1"}
    plane = mean_first_passage_time(Well(dim=2), Diagonal([1, 0.3]), grid=grid, start=(-1, 0.3), **arguments)
    line = mean_first_passage_time(Well(), grid=Grid([(-3, 3, 200)]), start=-1.0, **arguments)
    assert float(plane) == pytest.approx(float(line), rel=1e-9)


def test_momentum_shortens_the_time():
    settings = {"grid": LINE, "start": -1.0, "target": "x > 1"}
    plain = mean_first_passage_time(Well(), temperature=0.1, **settings)
    heavy = mean_first_passage_time(Well(), Isotropic(1.0), sgd=SGD(lr=0.1, batch_size=1, momentum=0.5), **settings)
    assert float(heavy) == pytest.approx(float(plain) / 2, rel=1e-12)


def test_a_start_inside_takes_no_time():
    found = mean_first_passage_time(Bowl(), temperature=0.1, grid=LINE, start=1.0, target="x > 0")
    assert float(found) == 0
    assert found.attrs["standard_error"] == 0
    assert found.attrs["units"] == "x^2/loss"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": "x > 10"}, ValueError, "holds no cell centre"),
        ({"target": "x > -2.999", "start": -2.9995}, ValueError, "every cell centre but not the start"),
        ({"temperature": 1e-4}, ValueError, "too long for a number"),
        ({"target": lambda x: [True]}, ValueError, "800 points, got 1 answers"),
        ({"target": "z > 1"}, FormulaError, "z"),
        ({"start": 9.0}, ValueError, "outside the walls"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, error, message):
    settings = {"temperature": 0.1, "grid": LINE, "start": -1.0, "target": "x > 1"} | arguments
    with pytest.raises(error, match=message) as refusal:
        mean_first_passage_time(Well(), **settings)
    assert "\n" not in str(refusal.value)
