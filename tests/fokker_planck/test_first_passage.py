import numpy as np
import pytest
from asserts import assert_second_order
from grid_landscapes import Bowl, Well

from sgdphys import SGD
from sgdphys.errors import FormulaError
from sgdphys.fokker_planck import Grid, mean_first_passage_time
from sgdphys.noises import Diagonal, Isotropic

LINE = Grid([(-3, 3, 800)])


@pytest.mark.parametrize(
    ("temperature", "across", "to_the_top"),
    [(0.125, 41.0343, 18.4262), (0.1, 66.2686, 30.8213), (0.0625, 277.055, 135.783), (0.03, 19485.8, 9739.57)],
)
def test_times_of_the_double_well(temperature, across, to_the_top):
    # double quadrature of the backward equation; bare Kramers is 10 to 20 % off, and the top is not half way
    found = mean_first_passage_time(Well(), temperature=temperature, grid=LINE, start=-1.0, target="x > 1")
    assert float(found) == pytest.approx(across, rel=3e-4)
    found = mean_first_passage_time(Well(), temperature=temperature, grid=LINE, start=-1.0, target="x > 0")
    assert float(found) == pytest.approx(to_the_top, rel=3e-4)


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
        ({"target": lambda x: [True]}, ValueError, "800 cells, got 1 answers"),
        ({"target": "z > 1"}, FormulaError, "z"),
        ({"start": 9.0}, ValueError, "outside the walls"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, error, message):
    settings = {"temperature": 0.1, "grid": LINE, "start": -1.0, "target": "x > 1"} | arguments
    with pytest.raises(error, match=message) as refusal:
        mean_first_passage_time(Well(), **settings)
    assert "\n" not in str(refusal.value)
