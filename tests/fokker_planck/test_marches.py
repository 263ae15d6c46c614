import numpy as np
import pytest
from asserts import assert_keeps_mass, assert_never_negative, assert_second_order
from grid_landscapes import Bowl, Well

import sgdphys as sp
from sgdphys.fokker_planck import Grid, discretise, evolve
from sgdphys.fokker_planck.fixed_steps import positive_step

LINE = Grid([(-3, 3, 120)])
SETTINGS = {"temperature": 0.2, "grid": LINE, "start": -1.0, "times": [0.0, 0.5, 1.0]}


def last(density):
    return density["density"].values[-1]


def reference():
    return last(evolve(Well(), tolerance=1e-11, **SETTINGS))


def distance(density):
    return 0.5 * np.abs(last(density) - reference()).sum() * LINE.cell_volume


def test_the_exponential_is_exact_and_positive():
    density = evolve(Well(), method="exponential", **SETTINGS)
    assert distance(density) < 1e-9
    assert_never_negative(density)
    assert_keeps_mass(density)


def test_implicit_euler_is_positive_and_of_first_order():
    found = [evolve(Well(), method="implicit-euler", dt=dt, **SETTINGS) for dt in (0.02, 0.01, 0.005)]
    for density in found:
        assert_never_negative(density)
        assert_keeps_mass(density)
    errors = np.array([distance(density) for density in found])
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 1, atol=0.1)


def test_crank_nicolson_is_of_second_order_and_positive_below_its_limit():
    limit = positive_step(discretise(Well(), temperature=0.2, grid=LINE))
    smooth = SETTINGS | {"start": lambda x: np.exp(-((x[:, 0] + 1) ** 2) / 0.1)}
    exact = last(evolve(Well(), tolerance=1e-11, **smooth))
    errors = []
    for dt in (limit, limit / 2, limit / 4):
        density = evolve(Well(), method="crank-nicolson", dt=dt, **smooth)
        assert_never_negative(density)
        errors.append(np.abs(last(density) - exact).sum())
    assert_second_order(np.array(errors), slack=0.3)
    with pytest.raises(ValueError, match=rf"positive up to dt={limit:.6g} on this grid"):
        evolve(Well(), method="crank-nicolson", dt=1.01 * limit, **SETTINGS)


def test_the_adaptive_method_is_of_high_order():
    errors = [distance(evolve(Well(), tolerance=tolerance, **SETTINGS)) for tolerance in (1e-4, 1e-6, 1e-8)]
    assert errors[0] < 1e-3
    assert errors[1] < 1e-5
    assert errors[2] < 1e-7


def test_a_moving_parabola_carries_its_mean_exactly():
    # f = (x - s)^2/2 with s = sin t: m' = -(m - sin t), variance relaxing as without the protocol
    landscape = sp.landscapes.Driven(sp.landscapes.Quadratic(1.0), sp.landscapes.Expression("-x"), lambda t: np.sin(t))
    times, grid = np.array([0.5, 1.0, 3.0]), Grid([(-3, 3, 400)])
    density = evolve(
        landscape, temperature=0.1, grid=grid, times=times, tolerance=1e-7,
        start=lambda x: np.exp(-((x[:, 0] - 1) ** 2) / 0.1),
    )  # fmt: skip
    assert_keeps_mass(density)
    assert_never_negative(density)
    means = (density["density"] * density["x"]).sum("x") * grid.cell_volume
    exact = np.exp(-times) + (np.sin(times) - np.cos(times) + np.exp(-times)) / 2
    np.testing.assert_allclose(means, exact, atol=2e-4)
    spread = (density["density"] * (density["x"] - means) ** 2).sum("x") * grid.cell_volume
    np.testing.assert_allclose(spread, 0.1 + (0.05 - 0.1) * np.exp(-2 * times), atol=2e-4)


def test_a_changing_equation_is_solved_to_second_order():
    landscape, errors = Bowl(), []
    settings = {"temperature": lambda t: 0.1 * (1 + t), "grid": LINE, "times": [1.0]}
    settings["start"] = lambda x: np.exp(-(x[:, 0] ** 2) / 0.1)
    exact = last(evolve(landscape, tolerance=1e-9, **settings))
    for dt in (0.04, 0.02, 0.01):
        # exponential midpoint, by stages of constant temperature
        edges = np.arange(0, 1, dt)
        state = settings["start"]
        for begin in edges:
            run = evolve(
                landscape, temperature=0.1 * (1 + begin + dt / 2), grid=LINE, start=state, times=[dt], tolerance=1e-10
            )
            state = last(run)
        errors.append(np.abs(state - exact).sum())
    assert_second_order(np.array(errors))


def test_stages_of_sgd_are_solved_one_after_another():
    stages = [
        (sp.SGD(lr=0.2, batch_size=1), 5),
        (
            sp.SGD(
                lr=0.05,
                batch_size=2,
            ),
            20,
        ),
    ]
    schedule, noise = sp.SGDSchedule(stages), sp.noises.Isotropic(1.0)
    both = evolve(Bowl(), noise, sgd=schedule, grid=LINE, start=0.5, times=[1.0, 2.0])
    first = evolve(Bowl(), noise, sgd=stages[0][0], grid=LINE, start=0.5, times=[1.0])
    second = evolve(Bowl(), noise, sgd=stages[1][0], grid=LINE, start=last(first), times=[1.0])
    np.testing.assert_allclose(both["density"].values[0], last(first), atol=1e-12)
    np.testing.assert_allclose(last(both), last(second), atol=1e-5)
    with pytest.raises(ValueError, match="schedule of sgd ends at time 2, got 3"):
        evolve(Bowl(), noise, sgd=schedule, grid=LINE, start=0.5, times=[3.0])


def test_absorbed_probability_decays_with_the_exact_rate():
    # free diffusion between absorbing walls: the slowest mode decays with T (pi/L)^2
    grid = Grid([(0, 1, 100)], "absorbing")
    flat = sp.landscapes.Expression("0*x")
    density = evolve(flat, temperature=0.1, grid=grid, start=lambda x: np.sin(np.pi * x[:, 0]), times=[0, 1, 2])
    np.testing.assert_allclose(density["mass"], np.exp(-0.1 * np.pi**2 * np.arange(3)), rtol=2e-4)
    np.testing.assert_allclose(density["mass"] + density["absorbed"], 1, atol=1e-13)


def test_mixed_walls():
    # absorbing on the left, reflecting on the right: the mode is sin(pi x/2)
    grid = Grid([(0, 1, 100)], [("absorbing", "reflecting")])
    flat = sp.landscapes.Expression("0*x")
    density = evolve(flat, temperature=0.1, grid=grid, start=lambda x: np.sin(np.pi * x[:, 0] / 2), times=[0, 3])
    assert float(density["mass"][1]) == pytest.approx(np.exp(-0.3 * (np.pi / 2) ** 2), rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "rk4"}, "method must be one of adaptive"),
        ({"method": "implicit-euler"}, "needs dt="),
        ({"dt": 0.1}, "chooses its steps itself"),
        ({"method": "implicit-euler", "dt": -1.0}, "dt must be positive"),
        ({"method": "exponential", "times": [1e9]}, "products with the operator"),
        ({"method": "exponential", "temperature": lambda t: 0.1 + t}, "constant in time"),
        ({"temperature": lambda t: 0.1 - t}, "temperature at time .* must be finite and not negative"),
    ],
)
def test_bad_methods_are_refused_in_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as refusal:
        evolve(Well(), **(SETTINGS | arguments))
    assert "\n" not in str(refusal.value)


def parabola(variance, mean=0.0):
    return lambda x: np.exp(-((x[:, 0] - mean) ** 2) / (2 * variance))


def spread(density, frame=-1):
    weights = density["density"].values[frame] * (density["x"].values[1] - density["x"].values[0])
    mean = weights @ density["x"].values
    return mean, weights @ (density["x"].values - mean) ** 2


@pytest.mark.parametrize("times", [[5.02], [2.0, 5.02], [5.005, 5.02]])
def test_a_pulse_between_two_time_steps_is_not_missed(times):
    # at rest, so that steps grow without limit; then one hundredth of a time unit at 300 times the temperature
    pulse = sp.schedules.Steps([0, 5, 5.01], [0.1, 30.0, 0.1])
    density = evolve(Bowl(), temperature=pulse, grid=Grid([(-6, 6, 480)]), start=parabola(0.1), times=times)
    exact = 0.1
    for temperature, duration in [(30.0, 0.01), (0.1, 0.01)]:
        exact = temperature + (exact - temperature) * np.exp(-2 * duration)
    assert spread(density)[1] == pytest.approx(exact, rel=2e-3)  # without the pulse .1


def test_a_protocol_that_jumps_shortly():
    # f = x^2/2 - s x with s = 40 between t = 3 and 3.01
    jump = sp.landscapes.Driven(
        sp.landscapes.Quadratic(1.0), sp.landscapes.Expression("-x"), sp.schedules.Steps([0, 3, 3.01], [0, 40, 0])
    )
    density = evolve(jump, temperature=0.1, grid=Grid([(-3, 3, 300)]), start=parabola(0.1), times=[3.01])
    assert spread(density)[0] == pytest.approx(40 * -np.expm1(-0.01), rel=1e-3)


def test_stages_of_sgd_are_cut_in_a_driven_landscape_too():
    stages = [(sp.SGD(lr=0.1, batch_size=2), 8), (sp.SGD(lr=0.02, batch_size=8), 10)]
    settings = {"sgd": sp.SGDSchedule(stages), "grid": LINE, "start": parabola(0.02, 1.0), "times": [0.7, 1.0]}
    still = sp.landscapes.Driven(sp.landscapes.Quadratic(1.0), sp.landscapes.Expression("-x"), lambda t: 0 * t)
    alone = evolve(Bowl(), sp.noises.Isotropic(2.0), **settings)
    driven = evolve(still, sp.noises.Isotropic(2.0), **settings)
    np.testing.assert_allclose(driven["density"], alone["density"], atol=1e-5)


def test_an_end_of_a_schedule_that_rounding_shifts():
    # 100 steps of .29 end at 28.999999999999996
    schedule = sp.SGDSchedule([(sp.SGD(lr=0.29, batch_size=1), 50), (sp.SGD(lr=0.29, batch_size=2), 50)])
    density = evolve(Bowl(), sp.noises.Isotropic(1.0), sgd=schedule, grid=LINE, start=0.0, times=[29.0])
    assert spread(density)[1] == pytest.approx(0.29 / 4, rel=2e-2)
