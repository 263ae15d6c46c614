import numpy as np
import pytest

import sgdphys as sp
from sgdphys import theory

WELL = sp.landscapes.DoubleWell()


class TwoParabolas:
    """A well of curvature 4 joined smoothly to a barrier of curvature -1 and the given height."""

    dim = 1

    def __init__(self, height):
        self.joint = np.sqrt(height / 10)
        self.top = 5 * self.joint

    def gradient(self, x):
        return np.where(x < self.joint, 4 * x, self.top - x)

    def hessian(self, x):
        return np.where(x < self.joint, 4.0, -1.0)[:, :, None]


class NoiseOfCurvature:
    """D = 4 in the well and 1 beyond its end, over the given width."""

    def __init__(self, joint, width, interpretation="ito"):
        self.joint, self.width, self.interpretation = joint, width, interpretation

    def diffusion(self, x):
        return (4 - 1.5 * (1 + np.tanh((x - self.joint) / self.width)))[:, :, None]


@pytest.mark.parametrize(
    ("temperature", "rate", "across", "to_the_top"),
    [
        (0.125, 3.046114e-2, 41.0343, 18.4262),
        (0.1, 1.847562e-2, 66.2686, 30.8213),
        (0.08, 9.889285e-3, 120.006, 57.4783),
        (0.0625, 4.122467e-3, 277.055, 135.783),
        (0.05, 1.516571e-3, 729.671, 361.904),
        (0.04, 4.345048e-4, 2483.03, 1238.4),
        (0.03, 5.410214e-5, 19485.8, 9739.57),
    ],
)
def test_the_double_well(temperature, rate, across, to_the_top):
    def time(start, target):
        return theory.mean_first_passage_time(WELL, temperature=temperature, start=start, target=target).item()

    assert time(-1, 1) == pytest.approx(across, rel=3e-6)
    assert time(1, -1) == pytest.approx(across, rel=3e-6)
    assert time(-1, 0) == pytest.approx(to_the_top, rel=2e-5)
    k = theory.kramers_rate(WELL, temperature=temperature, minimum=-1, saddle=0).item()
    assert k == pytest.approx(rate, rel=3e-7)


@pytest.mark.parametrize(("temperature", "time"), [(0.015, 7.88e7), (0.0125, 2.199e9), (0.01, 3.25e11)])
def test_low_temperatures(temperature, time):
    result = theory.mean_first_passage_time(WELL, temperature=temperature, start=-1, target=1).item()
    assert result == pytest.approx(time, rel=7e-4)


@pytest.mark.parametrize(
    ("interpretation", "time", "ratio"),
    [("ito", 55.715, 1.031), ("stratonovich", 86.180, 0.984), ("hanggi-klimontovich", 145.576, 0.956)],
)
def test_noise_that_follows_the_curvature(interpretation, time, ratio):
    landscape = TwoParabolas(0.6)
    assert (landscape.joint, landscape.top) == pytest.approx((0.244949, 1.224745), abs=5e-7)
    noise = NoiseOfCurvature(landscape.joint, 0.05, interpretation)
    result = theory.mean_first_passage_time(landscape, noise, temperature=0.15, start=0, target=landscape.top + 1)
    assert result.item() == pytest.approx(time, abs=6e-4)
    # Kramers' rate at low temperature: its prefactor is that of the interpretation, 2 pi / h_a for Ito
    landscape = TwoParabolas(0.5)
    noise = NoiseOfCurvature(landscape.joint, 0.03)
    options = {"temperature": 0.025, "interpretation": interpretation}
    tau = theory.mean_first_passage_time(landscape, noise, start=0, target=landscape.top + 2, **options).item()
    k = theory.kramers_rate(landscape, noise, minimum=0, saddle=landscape.top, **options).item()
    assert tau * k == pytest.approx(ratio, abs=6e-4)


def test_prefactors_of_the_interpretations():
    landscape = TwoParabolas(0.5)
    noise = NoiseOfCurvature(landscape.joint, 0.03)
    rates = [
        theory.kramers_rate(
            landscape, noise, temperature=0.1, minimum=0, saddle=landscape.top, interpretation=name
        ).item()
        for name in ("ito", "stratonovich", "hanggi-klimontovich")
    ]
    assert rates[0] / rates[1] == pytest.approx(2, rel=1e-6)
    assert rates[1] / rates[2] == pytest.approx(2, rel=1e-6)


def test_a_parabola_by_the_plain_rule_of_trapezia():
    result = theory.mean_first_passage_time(sp.landscapes.Quadratic([[1.0]]), temperature=0.3, start=1.5, target=0)
    assert result.item() == pytest.approx(_double_integral(lambda x: x**2 / 0.6, 1.5, 9.0) / 0.3, rel=1e-6)


def _double_integral(reduced, start, far):
    """Return the integral over y from 0 to start of e^reduced(y) times that of e^-reduced from y to far."""
    y = np.linspace(0, far, 360_001)
    weights = np.exp(-reduced(y))
    pieces = (weights[1:] + weights[:-1]) / 2 * np.diff(y)
    beyond = np.append(np.cumsum(pieces[::-1])[::-1], 0.0)
    inside = y <= start
    return np.trapezoid(np.exp(reduced(y[inside])) * beyond[inside], y[inside])


def test_free_diffusion_from_a_wall():
    # tau = (b^2 - x0^2) / (2 T D) with a wall at 0
    flat, noise = sp.landscapes.Quadratic([[0.0]]), sp.noises.Isotropic(2.0)
    result = theory.mean_first_passage_time(flat, noise, temperature=0.25, start=1, target=3, wall=0)
    assert result.item() == pytest.approx((9 - 1) / (2 * 0.25 * 2), rel=1e-9)
    assert result.attrs["standard_error"] == 0
    assert theory.mean_first_passage_time(flat, temperature=1, start=1, target=1).item() == 0


def test_it_agrees_with_the_fokker_planck_grid():
    landscape = sp.landscapes.Expression("x**4/4 - x**2/2 + 0.1*x")
    grid = sp.Grid([(-3, 3, 600)])
    for start, target, region in ((-1.0, 0.8, "x > 0.8"), (1.0, -0.5, "x < -0.5")):
        on_grid = sp.fokker_planck.mean_first_passage_time(
            landscape, temperature=0.1, grid=grid, start=start, target=region
        )
        exact = theory.mean_first_passage_time(landscape, temperature=0.1, start=start, target=target)
        assert on_grid.item() == pytest.approx(exact.item(), rel=1e-3)


def test_eyring_and_kramers_in_two_coordinates():
    # half of the first eigenvalue is .010175 at T = .1 and .0021674 at .0625, 1.072 and 1.024 times the rate
    landscape = sp.landscapes.Expression("x**4/4 - x**2/2 + (1 + 3*exp(-4*x**2))*y**2/2")
    for temperature, half, ratio in ((0.1, 0.010175, 1.072), (0.0625, 0.0021674, 1.024)):
        k = theory.kramers_rate(landscape, temperature=temperature, minimum=[-1, 0], saddle=[0, 0]).item()
        assert half / k == pytest.approx(ratio, abs=6e-4)
        line = theory.kramers_rate(WELL, temperature=temperature, minimum=-1, saddle=0).item()
        assert line / half > 1.6  # the barrier is entropic too
    doubled = theory.kramers_rate(
        landscape, sp.noises.Isotropic(2.0), temperature=0.03125, minimum=[-1, 0], saddle=[0, 0]
    )
    assert doubled.item() == pytest.approx(k, rel=1e-12)


@pytest.mark.parametrize(
    ("landscape", "arguments", "message"),
    [
        (WELL, {"temperature": 0.0}, "temperature must be positive"),
        (WELL, {"start": np.nan}, "start must be finite"),
        (WELL, {"interpretation": "kimura"}, "interpretation must be one of ito, stratonovich"),
        (WELL, {"wall": 0.5}, r"wall=0\.5 must not lie between"),
        (WELL, {"temperature": 1e-4}, "too long for a number"),
        (sp.landscapes.Quadratic(np.eye(2)), {}, "must have one coordinate, got 2"),
        (sp.landscapes.Quadratic([[0.0]]), {}, "give wall="),
        (WELL, {"noise": sp.noises.Isotropic(0.0)}, "diffusion must be positive and finite, got 0"),
    ],
)
def test_passages_without_an_answer_are_refused(landscape, arguments, message):
    with pytest.raises(ValueError, match=message):
        theory.mean_first_passage_time(landscape, **({"temperature": 0.1, "start": -1, "target": 1} | arguments))


@pytest.mark.parametrize(
    ("landscape", "noise", "points", "message"),
    [
        (WELL, None, (0, 1), "minimum must have positive curvatures, got -1 at"),
        (WELL, None, (-1, 1), "saddle must have one falling direction"),
        (WELL, None, ([-1, 0], 0), r"minimum must be finite, of shape \(1,\)"),
        (sp.landscapes.Quadratic(np.diag([1.0, 1.0])), None, ([0, 0], [0, 0]), "one falling direction"),
    ],
)
def test_rates_without_an_answer_are_refused(landscape, noise, points, message):
    with pytest.raises(ValueError, match=message):
        theory.kramers_rate(landscape, noise, temperature=0.1, minimum=points[0], saddle=points[1])


def test_noise_with_directions_in_two_coordinates():
    # a sum over the axes: the way out has D = 1, as on a line, and so it has when everything is turned
    line = theory.kramers_rate(WELL, temperature=0.1, minimum=-1, saddle=0).item()
    noise = sp.noises.Diagonal([1.0, 2.0])
    landscape = sp.landscapes.Expression("x**4/4 - x**2/2 + 3*y**2/2")
    k = theory.kramers_rate(landscape, noise, temperature=0.1, minimum=[-1, 0], saddle=[0, 0])
    assert k.item() == pytest.approx(line, rel=1e-10)
    turned = sp.landscapes.Expression("(x + y)**4/16 - (x + y)**2/4 + 3*(x - y)**2/4")
    noise = sp.noises.Full([[1.5, -0.5], [-0.5, 1.5]])
    corner = [-np.sqrt(0.5), -np.sqrt(0.5)]
    k = theory.kramers_rate(turned, noise, temperature=0.1, minimum=corner, saddle=[0, 0])
    assert k.item() == pytest.approx(line, rel=1e-10)
    isotropic = theory.kramers_rate(turned, temperature=0.1, minimum=corner, saddle=[0, 0])
    assert isotropic.item() == pytest.approx(line, rel=1e-10)
    wrong = theory.kramers_rate(turned, sp.noises.Isotropic(1.5), temperature=0.1, minimum=corner, saddle=[0, 0])
    assert wrong.item() > 2 * line  # D_xx in place of the noise along the way


class Turning:
    dim = 2

    def circulation(self, x):
        return x


COUPLED = sp.landscapes.Expression("x**4/4 - x**2/2 + (1 + 3*exp(-4*x**2))*y**2/2")


@pytest.mark.parametrize(
    ("landscape", "noise", "options", "message"),
    [
        (COUPLED, sp.noises.Diagonal([1.0, 2.0]), {}, "differs from D H"),
        (COUPLED, sp.noises.Full([[1.0, 0.5], [0.5, 1.0]]), {}, "differs from D H"),
        (COUPLED, sp.noises.Diagonal([1.0, 0.0]), {}, "positive in all directions, its smallest eigenvalue is 0"),
        (COUPLED, sp.noises.Formula("1 + x**2"), {}, "constant noise only, and D depends on x"),
        (COUPLED, None, {"order": 1}, "known on a line"),
        (COUPLED, None, {"order": 2}, "order must be 0 or 1, got 2"),
        (Turning(), None, {}, "has a circulating part"),
    ],
)
def test_two_coordinates_without_a_rate_are_refused(landscape, noise, options, message):
    with pytest.raises(ValueError, match=message):
        theory.kramers_rate(landscape, noise, temperature=0.1, minimum=[-1, 0], saddle=[0, 0], **options)


@pytest.mark.parametrize("temperature", [0.1, 0.03, 0.01])
def test_the_first_correction_in_the_double_well(temperature):
    bare, corrected = (
        theory.kramers_rate(WELL, temperature=temperature, minimum=-1, saddle=0, order=order).item() for order in (0, 1)
    )
    assert corrected / bare == pytest.approx(1 - 1.5 * temperature, rel=1e-9)
    time = theory.mean_first_passage_time(WELL, temperature=temperature, start=-1, target=1).item()
    assert abs(time * corrected - 1) < 0.6 * abs(time * bare - 1)


@pytest.mark.parametrize("interpretation", ["ito", "stratonovich", "hanggi-klimontovich"])
def test_the_first_correction_with_noise_that_depends_on_x(interpretation):
    # what is left is of second order: it falls by four where the temperature is halved, the bare error by two
    landscape = sp.landscapes.Expression("x**4/4 - x**2/2 + x**3/10")
    noise = sp.noises.Formula("1 + 0.4*x + 0.3*x**2", interpretation=interpretation)
    minimum, other = (-0.3 - np.sqrt(4.09)) / 2, (-0.3 + np.sqrt(4.09)) / 2
    errors = []
    for temperature in (0.01, 0.005):
        time = theory.mean_first_passage_time(landscape, noise, temperature=temperature, start=minimum, target=other)
        for order in (0, 1):
            rate = theory.kramers_rate(
                landscape, noise, temperature=temperature, minimum=minimum, saddle=0, order=order
            )
            errors.append(float(time * rate) - 1)
    assert errors[0] / errors[2] == pytest.approx(2, abs=0.1)
    assert errors[1] / errors[3] == pytest.approx(4, abs=0.6)
    assert abs(errors[3]) < 2.5e-4


def test_a_correction_that_leaves_no_rate_is_refused():
    with pytest.raises(ValueError, match="the temperature is too high"):
        theory.kramers_rate(WELL, temperature=0.7, minimum=-1, saddle=0, order=1)


DOUBLE = sp.landscapes.DoubleWell()
MOVING = sp.landscapes.Driven(DOUBLE, sp.landscapes.Linear([1.0]), sp.schedules.Linear(0.0, 1.0, 0.0, 1.0))
PASSAGE = {"temperature": 0.1, "start": -1.0, "target": 1.0}
RATE = {"temperature": 0.1, "minimum": -1.0, "saddle": 0.0}


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        (theory.mean_first_passage_time, {"landscape": None}, "the landscape must have dim and gradient"),
        (theory.mean_first_passage_time, {"landscape": "x**2"}, "the landscape must have dim and gradient.*got str"),
        (theory.mean_first_passage_time, {"landscape": MOVING}, "the landscape changes in time"),
        (theory.mean_first_passage_time, {"noise": 2.0}, r"the noise must have diffusion\(x\), got float"),
        (theory.mean_first_passage_time, {"temperature": 0.0}, "temperature must be positive"),
        (theory.mean_first_passage_time, {"temperature": "warm"}, "temperature must be positive"),
        (theory.mean_first_passage_time, {"start": np.nan}, "start must be finite"),
        (theory.mean_first_passage_time, {"target": [1.0, 2.0]}, "target must be finite"),
        (theory.mean_first_passage_time, {"interpretation": ["ito"]}, "interpretation must be one of"),
        (theory.kramers_rate, {"landscape": 3}, "the landscape must have dim and gradient"),
        (theory.kramers_rate, {"landscape": MOVING}, "the landscape changes in time"),
        (theory.kramers_rate, {"noise": "white"}, "the noise must have diffusion"),
        (theory.kramers_rate, {"temperature": -1.0}, "temperature must be positive"),
        (theory.kramers_rate, {"minimum": "left"}, "minimum must be real numbers"),
        (theory.kramers_rate, {"saddle": np.nan}, "saddle must be finite"),
        (theory.kramers_rate, {"minimum": -0.8}, r"does not vanish at minimum=\[-0\.8\], but near \[-1\.1"),
        (theory.kramers_rate, {"saddle": 0.3}, "does not vanish at saddle="),
        (theory.kramers_rate, {"order": [1]}, "order must be 0 or 1"),
    ],
)
def test_what_has_no_time_or_rate_is_refused_in_one_line(call, options, message):
    given = {"landscape": DOUBLE, "noise": None} | (RATE if call is theory.kramers_rate else PASSAGE) | options
    with pytest.raises(ValueError, match=message) as told:
        call(given.pop("landscape"), given.pop("noise"), **given)
    assert "\n" not in str(told.value)


def test_a_passage_that_is_not_resolved_is_no_number():
    """Downhill by 4e6 T: once a negative time came out, from the difference of infinities."""
    with pytest.raises(ValueError, match="the integrals do not settle"):
        theory.mean_first_passage_time(
            sp.landscapes.Expression("(x - 1000000)**2"), temperature=1.0, start=-1.0, target=1.0
        )
    wall = theory.mean_first_passage_time(DOUBLE, **PASSAGE, wall=-1.0).item()
    assert 0 < wall < theory.mean_first_passage_time(DOUBLE, **PASSAGE).item()
