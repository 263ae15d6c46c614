import numpy as np
import pytest
from asserts import assert_second_order
from grid_landscapes import Bowl, Well

from sgdphys import landscapes, theory
from sgdphys.fokker_planck import (
    Grid,
    Underdamped,
    committor,
    discretise,
    mean_first_passage_time,
    relaxation_rates,
    slow_modes,
    stationary,
)
from sgdphys.noises import Full, Isotropic

ROTATING = landscapes.Field(landscapes.Quadratic(np.eye(2)), ["-3*y", "3*x"])


def rates(*problem, **settings):
    return relaxation_rates(*problem, **settings)["relaxation_rate"].values


@pytest.mark.parametrize(
    ("temperature", "rate", "ratio"),
    [
        (0.125, 5.681802e-2, 0.93263), (0.1, 3.354506e-2, 0.90782), (0.08, 1.777403e-2, 0.89865),
        (0.0625, 7.444821e-3, 0.90296), (0.05, 2.776107e-3, 0.91526), (0.04, 8.087341e-4, 0.93064),
        (0.03, 1.026962e-4, 0.94910),
    ],
)  # fmt: skip
def test_slowest_rate_of_the_double_well(temperature, rate, ratio):
    found = rates(Well(), temperature=temperature, grid=Grid([(-2.5, 2.5, 2000)]), count=2)[1]
    assert found == pytest.approx(rate, rel=5e-5)
    kramers = theory.kramers_rate(landscapes.DoubleWell(), temperature=temperature, minimum=-1, saddle=0).item()
    assert found / (2 * kramers) == pytest.approx(ratio, rel=5e-5)


@pytest.mark.parametrize("temperature", [0.02, 0.0125, 0.006])
def test_tiny_rates_keep_their_digits(temperature):
    # 1e-6 to 1e-18; both are solved on the same cells, the times without any subtraction
    settings = {"temperature": temperature, "grid": Grid([(-2.5, 2.5, 500)])}
    found = rates(Well(), count=3, **settings)[1]
    time = float(mean_first_passage_time(Well(), start=-1.0, target="x > 0", **settings))
    assert found * time == pytest.approx(1, rel=3 * temperature)  # to leading order in T
    flux = committor(Well(), source="x < -0.5", target="x > 0.5", **settings)
    assert found == pytest.approx(2 * float(flux["reaction_rate"]), rel=2e-3 if temperature > 0.01 else 1e-6)


def test_eyring_kramers_in_the_plane():
    # the limit of low temperature is 7 and 2 % off; a one-dimensional rate would be 1.8 times as large
    well = landscapes.Expression("x**4/4 - x**2/2 + (1 + 3*exp(-4*x**2))*y**2/2")
    for temperature, rate, ratio in ((0.1, 0.010175, 1.072), (0.0625, 0.0021674, 1.024)):
        coarse, fine = (
            rates(Well(dim=2, narrowing=3.0), temperature=temperature, grid=Grid(axes), count=3)[1] / 2
            for axes in ([(-2, 2, 60), (-1.6, 1.6, 48)], [(-2, 2, 120), (-1.6, 1.6, 96)])
        )
        found = (4 * fine - coarse) / 3
        assert found == pytest.approx(rate, rel=1e-3)
        kramers = theory.kramers_rate(well, temperature=temperature, minimum=(-1, 0), saddle=(0, 0)).item()
        assert found / kramers == pytest.approx(ratio, abs=1.5e-3)
        line = theory.kramers_rate(landscapes.DoubleWell(), temperature=temperature, minimum=-1, saddle=0).item()
        assert line / found > 1.6


def test_ornstein_uhlenbeck_rates_are_sums_of_curvatures():
    hessian = ((1.0, 0.3), (0.3, 2.0))
    slow, fast = np.linalg.eigvalsh(hessian)
    exact = np.sort([i * slow + j * fast for i in range(7) for j in range(4)])[:6]
    errors = [
        rates(Bowl(hessian), temperature=0.1, grid=Grid([(-2.2, 2.2, cells), (-1.8, 1.8, cells)])) - exact
        for cells in (32, 64, 128)
    ]
    assert_second_order(np.array(errors)[:, 1:], slack=0.1)
    assert np.abs(errors[2][1:] / exact[1:]).max() < 0.02


def test_rotation_turns_the_modes():
    # rates a n with frequencies b m; the slow modes of high frequency are not missed
    exact = np.array([0, 1, 1, 2, 2, 2, 3]), np.array([0, 3, -3, 6, 0, -6, 9])
    errors = []
    for cells in (30, 60, 120):
        found = relaxation_rates(ROTATING, temperature=0.1, grid=Grid([(-1.9, 1.9, cells)] * 2), count=7)
        pairs = found["relaxation_rate"].values + 1j * found["relaxation_frequency"].values
        errors.append([np.abs(pairs - (rate + 1j * turn)).min() for rate, turn in zip(*exact, strict=True)][:6])
        assert found["relaxation_frequency"].attrs["highest_frequency"] > 6
    assert_second_order(np.array(errors)[:, 1:], slack=0.25)


def test_fast_rotation_does_not_hide_slow_modes():
    # the nearest modes to any small shift are 0, 2, 4 ... 28, which do not turn
    turning = landscapes.Field(landscapes.Quadratic(np.eye(2)), ["-30*y", "30*x"])
    found = relaxation_rates(turning, temperature=0.1, grid=Grid([(-1.9, 1.9, 100)] * 2), count=3)
    np.testing.assert_allclose(found["relaxation_frequency"], [0, 30, -30], rtol=0.02)


@pytest.mark.parametrize(
    ("problem", "grid"),
    [
        ((Well(tilt=0.05), None), Grid([(-2.5, 2.5, 300)])),
        ((landscapes.Expression("1 - cos(x)"), None), Grid([(-np.pi, np.pi, 100)], "periodic")),
        ((Well(), None), Grid([(-2.5, 1.1, 200)], [("far", "absorbing")])),
        ((Bowl(((1.0, 0.3, 0.0), (0.3, 2.0, 0.1), (0.0, 0.1, 0.5))), None), Grid([(-2, 2, 14)] * 3, "reflecting")),
        ((ROTATING, None), Grid([(-1.5, 1.5, 40), (-2, 2, 30)], ["absorbing", "far"])),
        ((ROTATING, Full([[1.0, 0.5], [0.5, 0.6]])), Grid([(-2, 2, 40), (-2, 2, 36)])),
    ],
)
def test_modes_solve_the_equation_and_are_biorthogonal(problem, grid):
    found = relaxation_rates(*problem, temperature=0.2, grid=grid, count=5)
    eigenvalues = found["relaxation_rate"].values + 1j * found["relaxation_frequency"].values
    right, left = (found[f"{side}_mode"].values.reshape(5, -1).astype(complex) for side in ("right", "left"))
    if "right_mode_imaginary" in found:
        right += 1j * found["right_mode_imaginary"].values.reshape(5, -1)
        left += 1j * found["left_mode_imaginary"].values.reshape(5, -1)
    np.testing.assert_allclose(left @ right.T * grid.cell_volume, np.eye(5), atol=1e-9)
    matrix = discretise(*problem, temperature=0.2, grid=grid).matrix[: grid.size, : grid.size]
    fastest = np.abs(matrix.diagonal()).max()
    residual = matrix @ right.T + right.T * eigenvalues
    assert np.abs(residual).max() < 1e-10 * fastest * np.abs(right).max()
    residual = (matrix.T @ left.T + left.T * eigenvalues) / np.abs(left).max(axis=1)
    assert np.abs(residual).max() < 1e-10 * fastest
    assert right[0].sum() * grid.cell_volume == pytest.approx(1)
    assert right[0].real.min() >= 0


def test_the_first_mode_is_the_stationary_state():
    grid = Grid([(-1.9, 1.9, 40), (-2, 2, 44)])
    for landscape in (ROTATING, Bowl(((1.0, 0.2), (0.2, 1.0)))):
        found = relaxation_rates(landscape, temperature=0.15, grid=grid, count=3)
        density = stationary(landscape, temperature=0.15, grid=grid)["density"].values[0]
        np.testing.assert_allclose(found["right_mode"].values[0], density, atol=1e-11)
        assert float(found["relaxation_rate"][0]) == 0
        np.testing.assert_allclose(found["left_mode"].values[0], 1, rtol=1e-13)


@pytest.mark.parametrize("temperature", [0.05, 0.01])
def test_the_first_left_mode_is_a_linear_function_of_the_committor(temperature):
    # where the density is below rounding too: at .01 it is 1e-11 on the barrier and 1e-600 at the walls
    settings = {"temperature": temperature, "grid": Grid([(-2.5, 2.5, 500)])}
    left = relaxation_rates(Well(), count=2, **settings)["left_mode"].values[1]
    share = committor(Well(), source="x < -1", target="x > 1", **settings)["committor"].values
    assert np.abs(left - (2 * share - 1)).max() < 3 * np.exp(-0.25 / temperature) / temperature
    assert np.all(np.diff(left) >= -1e-12)


def test_hermite_functions():
    grid = Grid([(-3, 3, 1200)])
    found = relaxation_rates(Bowl(), temperature=0.1, grid=grid, count=4)
    x = found["x"].values / np.sqrt(0.1)
    hermite = np.array([np.ones_like(x), x, (x**2 - 1) / np.sqrt(2), (x**3 - 3 * x) / np.sqrt(6)])
    inner = np.abs(x) < 6  # the reflecting walls bend the functions near them
    np.testing.assert_allclose(found["left_mode"].values[:, inner], hermite[:, inner], atol=2e-3 * 40)
    np.testing.assert_allclose(found["left_mode"].values[:, np.abs(x) < 2], hermite[:, np.abs(x) < 2], atol=1e-3)


def test_quasi_stationary_rate_between_absorbing_walls():
    # flat: pi^2 T / width^2, sine; a target with its edge between centres does the same as a wall
    flat = landscapes.Expression("0*x")
    found = relaxation_rates(flat, temperature=0.5, grid=Grid([(0, 2, 200)], "absorbing"), count=3)
    exact = 0.5 * (np.pi * np.arange(1, 4) / 2) ** 2
    np.testing.assert_allclose(found["relaxation_rate"], exact, rtol=2e-4)
    sine = np.pi / 4 * np.sin(np.pi * found["x"] / 2)
    np.testing.assert_allclose(found["right_mode"].values[0], sine, rtol=2e-4)
    wall = Grid([(-1, 2.037, 300)], "reflecting")
    found = rates(flat, temperature=0.5, grid=wall, count=2, target="x > 2")
    np.testing.assert_allclose(found, 0.5 * (np.pi * np.array([0.5, 1.5]) / 3) ** 2, rtol=2e-4)


def test_a_ring_relaxes_in_pairs():
    found = rates(landscapes.Expression("0*x"), temperature=0.3, grid=Grid([(0, 2, 200)], "periodic"), count=5)
    np.testing.assert_allclose(found, 0.3 * (np.pi * np.array([0, 1, 1, 2, 2])) ** 2, rtol=5e-4)


def test_damped_oscillation():
    # rates i a + j a* with a = gamma/2 + i sqrt(h - gamma^2/4); the echoes of central differences are left out
    motion = Underdamped(Bowl(), friction=1.0)
    found = relaxation_rates(motion, temperature=0.1, grid=Grid([(-1.8, 1.8, 80)] * 2), count=6)
    turn = np.sqrt(0.75)
    np.testing.assert_allclose(found["relaxation_rate"], [0, 0.5, 0.5, 1, 1, 1], atol=0.012)
    frequencies = found["relaxation_frequency"].values
    np.testing.assert_allclose(frequencies[:3], [0, turn, -turn], atol=5e-3)
    np.testing.assert_allclose(np.sort(frequencies[3:]), [-2 * turn, 0, 2 * turn], atol=0.02)


def test_both_methods_agree_where_both_apply():
    operator = discretise(Well(tilt=0.1), Isotropic(2.0), temperature=0.05, grid=Grid([(-2.2, 2.2, 200)]))
    one, other = slow_modes.slow_modes(operator, 5), slow_modes._irreversible(operator, np.arange(200), 5)
    np.testing.assert_allclose(other.eigenvalues[1:], one.eigenvalues[1:], rtol=1e-10)


def test_three_wells_keep_both_small_rates():
    # the barriers differ: rates of 2e-11 and 1e-8, far below the rounding of a factorisation
    landscape = landscapes.Expression("-2*(exp(-(x+3)**2) + exp(-x**2) + 0.7*exp(-(x-3)**2)) + 0.0002*x**6")
    settings = {"temperature": 0.06, "grid": Grid([(-4.5, 4.5, 300)])}
    found = rates(landscape, count=4, **settings)
    operator = discretise(landscape, **settings)
    exact = _rates_in_many_digits(operator)
    np.testing.assert_allclose(found[1:3], exact, rtol=1e-6)
    assert found[1] < 1e-10 < found[2] < 1e-7


def _rates_in_many_digits(operator):
    """Return both slow rates from the currents between wells, by committors without subtraction."""
    import mpmath

    with mpmath.workdps(50):
        size = operator.grid.size
        p = [mpmath.exp(-mpmath.mpf(float(v))) for v in operator.reduced_potential - operator.reduced_potential.min()]
        hops = [p[i] * mpmath.mpf(float(f)) for i, f in zip(operator.left, operator.forward, strict=True)]
        # count the eigenvalues below a value by Sturm's sequence of the tridiagonal form, and bisect
        diagonal = [mpmath.mpf(0)] * size
        for left, right, w in zip(operator.left, operator.right, hops, strict=True):
            diagonal[left] += w
            diagonal[right] += w

        def below(value):
            count, pivot = 0, mpmath.mpf(1)
            for i in range(size):
                square = hops[i - 1] ** 2 / pivot if i else 0
                pivot = diagonal[i] - value * p[i] - square
                count += pivot < 0
            return count

        found = []
        for mode in (1, 2):
            low, high = mpmath.mpf(10) ** -20, mpmath.mpf(1)
            for _ in range(40):
                middle = mpmath.sqrt(low * high)
                low, high = (low, middle) if below(middle) > mode else (middle, high)
            found.append(float(low))
    return found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": 0}, "count must be a positive integer, got 0"),
        ({"count": 50}, "count must be at most 45 with 100 cells, got 50"),
        ({"temperature": 1e-5}, "a hopping rate underflows"),
        ({"target": "x > 10"}, "holds no cell centre"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as refusal:
        relaxation_rates(Well(), **{"temperature": 0.1, "grid": Grid([(-2.5, 2.5, 100)])} | settings)
    assert "\n" not in str(refusal.value)
