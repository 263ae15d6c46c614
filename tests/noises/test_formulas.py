"""Noise of a formula: the three readings by their exact numbers, and what is refused."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys.noises import Formula

READINGS = {"ito": 0.0, "stratonovich": 0.5, "hanggi-klimontovich": 1.0}
BOWL = sp.landscapes.Quadratic(1.0)


def second_moment(multiple, temperature, dt):
    """E x^2 of the Euler chain for f = x^2/2, D = 1 + x^2: the drift is -k x with k = 1 - 2 a T, the map linear in E.

    E = (1 - k dt)^2 E + 2 T dt (1 + E); for Ito that is 2 T / (2 - dt - 2 T).
    """
    k = 1 - 2 * multiple * temperature
    return 2 * temperature / (2 * k - k**2 * dt - 2 * temperature)


def squares(noise, temperature, dt, t1, n=200_000, landscape=BOWL):
    cloud = sp.simulate(
        landscape, noise, temperature=temperature, dt=dt, t1=t1, n_particles=n, start=0.0, seed=5, save_at=[t1]
    )
    return cloud["position"].values[-1, :, 0] ** 2


@pytest.mark.parametrize(
    ("reading", "temperature", "dt", "golden"),
    [
        ("ito", 0.2, 0.01, 0.251572),
        ("ito", 0.2, 0.05, 0.258065),
        ("stratonovich", 0.2, 0.01, 0.335121),
        ("hanggi-klimontovich", 0.1, 0.01, 0.143513),
    ],
)
def test_second_moment_of_multiplicative_noise(reading, temperature, dt, golden):
    """Continuous values T/(1 - T), T/(1 - 2 T), T/(1 - 3 T); a stationary law of finite fourth moment in all cases."""
    exact = second_moment(READINGS[reading], temperature, dt)
    assert exact == pytest.approx(golden, abs=1e-6)
    x2 = squares(Formula("1 + x**2", interpretation=reading), temperature, dt, 20.0)
    error = x2.std() / np.sqrt(len(x2))
    assert_within(x2.mean(), exact, error)
    for other, multiple in READINGS.items():
        if other != reading:
            assert_excluded(x2.mean(), second_moment(multiple, temperature, dt), error)
    assert_excluded(x2.mean(), second_moment(READINGS[reading], 2 * temperature, dt), error)


def test_the_heaviest_tail_approaches_one_half():
    """Haenggi-Klimontovich at T = .2: E x^2 = .5022604 by the Euler chain, 1/2 in the limit, of infinite variance."""
    x2 = squares(Formula("1 + x**2", interpretation="hanggi-klimontovich"), 0.2, 0.01, 20.0)
    assert x2.mean() == pytest.approx(second_moment(1.0, 0.2, 0.01), rel=0.02)


H_A, WIDTH, T = 4.0, 0.05, 0.15
X_C, B = 0.244948974278318, 1.224744871391589
WALL = sp.landscapes.Expression(  # curvature 4, from c on -1, and beyond the target b + 1 curved up again
    "2*x**2 - 5/2*((x - c + abs(x - c))/2)**2 + 5/2*((x - b - 1 + abs(x - b - 1))/2)**2", b=B, c=X_C
)


def exit_times(reading, dt, n, t1):
    noise = Formula("4 - 3/2*(1 + tanh((x - c)/w))", interpretation=reading, c=X_C, w=WIDTH)
    cloud = sp.simulate(
        WALL, noise, temperature=T, dt=dt, t1=t1, n_particles=n, start=0.0, seed=2, save_at=0,
        observers=[sp.observers.FirstPassage(f"x > {B + 1!r}")],
    )  # fmt: skip
    return cloud["first_passage_time"].values


def assert_exit_time(times, exact, wrong):
    """Survivors at the end, some exp(-9) of all at most, would shift the mean by less than a thousandth of itself."""
    assert np.mean(np.isnan(times)) < 1e-3
    times = times[~np.isnan(times)]
    error = times.std() / np.sqrt(len(times))
    assert_within(times.mean(), exact, error)
    assert_excluded(times.mean(), wrong, error)


def test_the_wall_is_the_landscape_of_the_exit_times():
    """Curvatures 4 and -1, continuous slope, a barrier of height 0.6 at b."""
    x = np.array([[0.0], [0.1], [X_C], [1.0], [B], [2.0]])
    np.testing.assert_allclose(WALL.gradient(x)[:, 0], [0, 0.4, 4 * X_C, B - 1, 0, B - 2], atol=1e-12)
    height = WALL.potential(np.array([[B]]))[0]
    assert height == pytest.approx(0.6, abs=1e-9)


@pytest.mark.parametrize(
    ("reading", "exact", "wrong", "t1"),
    [("ito", 54.995, 83.777, 640.0), ("stratonovich", 83.777, 137.220, 960.0)],
)
def test_exit_time_tells_the_readings_apart(reading, exact, wrong, t1):
    """From the minimum over the barrier to b + 1, of the Euler chain at dt = .002 (from its own equation)."""
    assert_exit_time(exit_times(reading, 0.002, 1000, t1), exact, wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reading", "exact", "wrong", "t1", "n"),
    [
        ("ito", 55.654, 85.936, 640.0, 500),
        ("stratonovich", 85.936, 144.713, 960.0, 500),
        ("hanggi-klimontovich", 144.713, 55.654, 1300.0, 400),
    ],
)
def test_exit_time_at_a_small_step(reading, exact, wrong, t1, n):
    assert_exit_time(exit_times(reading, 2e-4, n, t1), exact, wrong)


def test_negative_diffusion_on_the_way_loses_the_particle_and_says_so():
    noise = Formula("1 - x**2")
    with pytest.warns(sp.errors.DivergenceWarning, match=r"D\(x\) of Formula\('1 - x\*\*2'\) is negative"):
        cloud = sp.simulate(BOWL, noise, temperature=1.0, dt=0.05, n_steps=200, n_particles=500, save_at=2)
    lost = cloud["diverged"].values
    assert lost.sum() > 0
    assert np.all(np.isnan(cloud["position"].values[-1, lost]))
    assert np.all(np.isfinite(cloud["position"].values[-1, ~lost]))


TENSOR = [["1", "x*y"], ["x*y", "1"]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Formula("1 + x", interpretation="anti-ito"), "must be one of ito, stratonovich, hanggi-klimontovich"),
        (lambda: Formula(TENSOR, interpretation="stratonovich"), "depends on its root B"),
        (lambda: Formula("1 + x**2", dim=0), "dim must be a positive integer"),
        (lambda: Formula("1 + y**2", dim=1), "names 2 coordinates, and there are 1"),
        (lambda: Formula(["1", "x"], dim=3), "names 2 coordinates, and there are 3"),
        (lambda: Formula("1 + y**2").bound(BOWL), "names 2 coordinates, and there are 1"),
        (lambda: Formula(["1", "1"]).bound(BOWL), "has 2 coordinates, the landscape has 1"),
        (lambda: Formula("x - 1").bound(BOWL), r"must not be negative, at the landscape.s minimum \(0\) it is -1"),
        (lambda: Formula("1/x**2").bound(BOWL), r"not finite at the landscape.s minimum \(0\)"),
        (lambda: sp.simulate(
            BOWL, Formula("1 - x**2"), temperature=1.0, dt=0.1, n_steps=1, n_particles=2, start=2.0),
         r"must not be negative, at the start \(2\) it is -3: give another D, or keep"),
        (lambda: sp.fokker_planck.stationary(
            BOWL, Formula("1 - x**2"), temperature=1.0, grid=sp.Grid([(-3, 3, 20)])), "must be positive in all direc"),
        (lambda: sp.simulate(
            BOWL, Formula("1 + x**2"), temperature=1.0, dt=0.1, n_steps=1, n_particles=2,
            observers=[sp.observers.FirstPassage("x > 1", bridge=True)]), "constant diffusion"),
    ],
)  # fmt: skip
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_parameters_and_readings_are_shown():
    noise = Formula(["1 + a*x**2", "2"], interpretation="stratonovich", a=0.5)
    assert repr(noise) == "Formula(['1 + a*x**2', '2'], interpretation='stratonovich', a=0.5)"
    assert noise.configuration() == {
        "noise": "Formula",
        "diffusion": ["1 + a*x**2", "2"],
        "interpretation": "stratonovich",
        "parameters": {"a": 0.5},
    }


def test_one_formula_serves_any_dimension():
    """D = d(x) 1 in two coordinates of a formula of the first; separable in one alone."""
    noise = Formula("1 + x**2")
    two = noise.bound(sp.landscapes.Quadratic(np.eye(2)))
    np.testing.assert_allclose(two.diffusion(np.array([[2.0, 7.0]]))[0], 5 * np.eye(2))
    assert not two.separable
    assert noise.bound(BOWL).separable
    assert Formula(["1 + x**2", "2 + y"]).separable
    assert not Formula(["1 + y**2", "2 + y"]).separable
