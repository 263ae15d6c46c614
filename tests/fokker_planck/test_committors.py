import numpy as np
import pytest
from asserts import assert_second_order
from grid_landscapes import Bowl, Well

from sgdphys import landscapes
from sgdphys.fokker_planck import (
    Grid,
    Underdamped,
    committor,
    mean_first_passage_time,
    relaxation_rates,
    splitting_probability,
)
from sgdphys.noises import Diagonal, Formula, Full

SIDES = {"source": "x < -0.93", "target": "x > 1.02"}


def height(temperature, x, points=200_001):
    """Return the integral of exp(U/T) over the double well from -.93, over that up to 1.02, and the latter."""
    line = np.linspace(-0.93, 1.02, points)
    weights = np.exp((line**4 / 4 - line**2 / 2) / temperature)
    total = np.append(0.0, np.cumsum((weights[1:] + weights[:-1]) / 2 * (line[1] - line[0])))
    return np.interp(x, line, total / total[-1]), total[-1]


def test_second_order_against_the_quadrature():
    errors = []
    for cells in (101, 202, 404):
        found = committor(Well(), temperature=0.1, grid=Grid([(-3, 3, cells)]), **SIDES)
        exact, resistance = height(0.1, found["x"].values)
        line = np.linspace(-3, 3, 20_001)
        weight = np.exp(-(line**4 / 4 - line**2 / 2) / 0.1).sum() * 6 / 20_000
        flux = float(found["reactive_flux"]) * weight * resistance / 0.1
        errors.append([np.abs(found["committor"].values - exact).max(), flux - 1])
    assert_second_order(np.array(errors), slack=0.2)
    assert np.abs(errors[-1]).max() < 2e-4


def test_the_reactive_current_is_the_same_in_every_cell():
    found = committor(Well(), temperature=0.1, grid=Grid([(-3, 3, 400)]), **SIDES)
    current = found["reactive_current"].values[:, 0]
    between = (found["x"] > -0.93) & (found["x"] < 1.02)
    np.testing.assert_allclose(current[between], float(found["reactive_flux"]), rtol=1e-9)
    assert np.all(current[~between] == 0)


def test_the_current_through_every_section_of_the_plane():
    # towards the left, with a diffusion along no axis, whose axes are those of the landscape: detailed balance holds
    landscape = landscapes.Expression("(x + y)**4/16 - (x + y)**2/4 + (x - y)**2/4")
    grid = Grid([(-2.2, 2.2, 60), (-2, 2, 50)])
    found = committor(
        landscape, Full([[1, 0.6], [0.6, 1]]), temperature=0.15, grid=grid, source="x > 0.7", target="x < -0.7"
    )
    through = found["reactive_current"].isel(coordinate=0).sum("y") * grid.spacing[1]
    inner = np.abs(found["x"].values) < 0.6
    np.testing.assert_allclose(through.values[inner], -float(found["reactive_flux"]), rtol=1e-9)


def test_tiny_probabilities_keep_their_digits():
    # 2e-21 right of the source at T = .005, from sums without subtraction
    found = committor(Well(), temperature=0.005, grid=Grid([(-3, 3, 600)]), **SIDES)["committor"]
    exact = height(0.005, found["x"].values)[0]
    tiny = (exact > 0) & (exact < 1e-15)
    np.testing.assert_allclose(found.values[tiny][2:], exact[tiny][2:], rtol=0.02)
    assert found.values[tiny].max() < 1e-15


@pytest.mark.parametrize("temperature", [0.1, 0.05, 0.02])
def test_rates_bound_the_slowest_relaxation(temperature):
    # the committor is a trial function of the variational principle: flux / variance is above the rate
    settings = {"temperature": temperature, "grid": Grid([(-2.5, 2.5, 500)])}
    found = committor(Well(), source="x < -0.6", target="x > 0.6", **settings)
    modes = relaxation_rates(Well(), count=2, **settings)
    rate, density = float(modes["relaxation_rate"][1]), modes["right_mode"].values[0] * 0.01
    share = found["committor"].values
    bound = float(found["reactive_flux"]) / (density @ share**2 - (density @ share) ** 2)
    assert rate < bound < rate * (1 + 2 * temperature)
    both = float(found["reaction_rate"] + found["reverse_reaction_rate"])
    assert both == pytest.approx(rate, rel=2 * temperature)


def test_an_uneven_well_is_left_faster():
    found = committor(
        Well(tilt=0.1), temperature=0.05, grid=Grid([(-2.5, 2.5, 500)]), source="x < -0.8", target="x > 0.8"
    )
    ratio = float(found["reverse_reaction_rate"] / found["reaction_rate"])
    occupation = np.exp(0.2 / 0.05)  # of the left well over the right one, up to curvatures
    assert ratio == pytest.approx(occupation, rel=0.2)


def test_no_reactive_current_without_detailed_balance():
    turning = landscapes.Field(landscapes.Expression("x**4/4 - x**2/2 + y**2/2"), ["-y", "x"])
    found = committor(turning, temperature=0.1, grid=Grid([(-2, 2, 40)] * 2), source="x < -1", target="x > 1")
    assert set(found) == {"committor"}
    assert found["committor"].min() == 0
    assert found["committor"].max() == 1
    # the drift is odd under reflection at the origin, which exchanges source and target
    np.testing.assert_allclose(found["committor"].values, 1 - found["committor"].values[::-1, ::-1], atol=1e-9)


def test_the_reading_of_the_noise_does_not_matter_where_the_scale_says_so():
    # without force q'' D + (1 - r) q' D' = 0: a straight line by Ito, the integral of 1/D by Haenggi and Klimontovich
    grid = Grid([(0, 1, 200)])
    for reading, exact in (
        ("ito", lambda x: x - 0.2),
        ("stratonovich", lambda x: np.sqrt(1 + x) - np.sqrt(1.2)),
        ("hanggi-klimontovich", lambda x: np.log((1 + x) / 1.2)),
    ):
        noise = Formula("1 + x", interpretation=reading)
        found = committor(
            landscapes.Expression("0*x"), noise, temperature=0.3, grid=grid, source="x < 0.2", target="x > 0.7"
        )
        expected = np.clip(exact(found["x"].values) / exact(0.7), 0, 1)
        np.testing.assert_allclose(found["committor"].values, expected, atol=2e-5)


def test_splitting_between_targets_and_walls():
    settings = {"temperature": 0.1, "targets": ["x < -0.93", "x > 1.02"]}
    exact = height(0.1, np.array([0.3, 1.015]))[0]
    for start, right in zip((0.3, 1.015), exact, strict=True):
        found = splitting_probability(Well(), grid=Grid([(-3, 3, 600)]), start=start, **settings)
        np.testing.assert_allclose(found.sel(exit="x > 1.02"), right, rtol=2e-4)
        assert float(found.sum()) == pytest.approx(1, abs=1e-13)
        walls = splitting_probability(
            Well(), temperature=0.1, grid=Grid([(-0.93, 1.02, 200)], "absorbing"), start=start
        )
        assert walls["exit"].values.tolist() == ["x low", "x high"]
        np.testing.assert_allclose(walls.values, found.values, atol=2e-4)
    assert found.attrs["standard_error"] == 0


def test_splitting_at_a_start_in_a_target_or_on_a_wall():
    grid = Grid([(-1, 1, 20), (-1, 1, 20)], ["absorbing", "reflecting"])
    target = lambda x: x[:, 1] > 0.5  # noqa: E731
    found = splitting_probability(
        Bowl(((1.0, 0.0), (0.0, 1.0))), temperature=0.3, grid=grid, start=(0, 0.7), targets=[target]
    )
    assert found["exit"].values.tolist() == ["x low", "x high", "target 0"]
    np.testing.assert_array_equal(found.values, [0, 0, 1])
    found = splitting_probability(Bowl(((1.0, 0.0), (0.0, 1.0))), temperature=0.3, grid=grid, start=(-1, 0))
    np.testing.assert_allclose(found.values, [1, 0], atol=1e-14)
    found = splitting_probability(
        Bowl(((1.0, 0.0), (0.0, 1.0))),
        Diagonal([1, 2]),
        temperature=0.3,
        grid=grid,
        start=0.0,
        targets=["y > 0.5", "y < -0.5"],
    )
    np.testing.assert_allclose(found.values[0], found.values[1], rtol=1e-12)
    np.testing.assert_allclose(found.values[2], found.values[3], rtol=1e-12)


def test_absorbing_walls_take_from_the_committor():
    # who leaves has reached neither; then the walls' share is missing
    grid = Grid([(-2, 2, 40), (-1, 1, 20)], ["far", "absorbing"])
    well = Well(dim=2)
    found = committor(well, temperature=0.2, grid=grid, source="x < -1", target="x > 1")
    shares = splitting_probability(well, temperature=0.2, grid=grid, start=(0.05, 0.05), targets=["x < -1", "x > 1"])
    assert float(found["committor"].sel(x=0.05, y=0.05, method="nearest")) == pytest.approx(float(shares[3]), rel=1e-10)
    assert float(shares[2:].sum()) < 0.9
    assert set(found) == {"committor"}


def test_the_mean_time_between_walls_is_a_parabola():
    found = mean_first_passage_time(
        landscapes.Expression("0*x"), temperature=0.5, grid=Grid([(0, 2, 100)], "absorbing")
    )
    x = found["x"].values
    assert found.dims == ("x",)
    np.testing.assert_allclose(found.values, x * (2 - x), atol=1.1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda **s: committor(Well(), source="x < 0", target="x > -1", **s), "the target shares cells with another"),
        (lambda **s: committor(Well(), source="x < -9", target="x > 1", **s), "the source holds no cell centre"),
        (lambda **s: splitting_probability(Well(), start=0.0, **s), "nothing leaves: give a target, or a grid with"),
        (lambda **s: splitting_probability(Well(), start=0.0, targets="x > 1", **s), "must be a list of regions"),
        (lambda **s: splitting_probability(Well(), start=9.0, targets=["x > 1"], **s), "outside the walls"),
        (lambda **s: mean_first_passage_time(Well(), start=0.0, **s), "nothing leaves"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call(temperature=0.1, grid=Grid([(-3, 3, 60)]))
    assert "\n" not in str(refusal.value)


def test_targets_in_phase_space():
    # the drift through v turns source and target into each other
    settings = {
        "temperature": 0.2,
        "grid": Grid([(-2, 2, 40), (-2.5, 2.5, 40)]),
        "source": "x < -0.8",
        "target": "x > 0.8",
    }
    share = committor(Underdamped(Well(), friction=2.0, scheme="upwind"), **settings)["committor"].values
    np.testing.assert_allclose(share, 1 - share[::-1, ::-1], atol=1e-9)
    assert share[20, 30] > share[20, 10] + 0.2
