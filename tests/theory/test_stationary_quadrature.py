import numpy as np
import pytest
from scipy import stats

import sgdphys as sp
from sgdphys import theory

PARABOLA, WELL = sp.landscapes.Quadratic([[1.0]]), sp.landscapes.DoubleWell()
READINGS = ("ito", "stratonovich", "hanggi-klimontovich")


def _growing(interpretation="ito"):
    return sp.noises.Formula("1 + x**2", interpretation=interpretation)


@pytest.mark.parametrize(("interpretation", "shift"), list(zip(READINGS, (1, 2, 3), strict=True)))
@pytest.mark.parametrize("temperature", [0.05, 0.2, 0.3])
def test_tails_of_a_power(interpretation, shift, temperature):
    # Student's density of nu = 1 + 1/T, 1/T, 1/T - 1; second moments T/(1-T), T/(1-2T), T/(1-3T)
    nu = 2 - shift + 1 / temperature
    points, noise = np.array([-40.0, -3, 0, 0.5, 1000]), _growing(interpretation)
    result = theory.stationary_density(PARABOLA, noise, at=points, temperature=temperature)
    np.testing.assert_allclose(result, stats.t.pdf(points * np.sqrt(nu), nu) * np.sqrt(nu), rtol=1e-11, atol=1e-26)
    assert result.dims == ("x",) and result.attrs["temperature"] == temperature
    moment = theory.stationary_average(lambda x: x**2, PARABOLA, noise, temperature=temperature)
    assert moment.item() == pytest.approx(temperature / (1 - shift * temperature), rel=1e-9)
    assert moment.attrs["standard_error"] == 0


def test_three_moments_at_one_temperature():
    moments = [
        theory.stationary_average(lambda x: x**2, PARABOLA, _growing(name), temperature=0.2).item() for name in READINGS
    ]
    np.testing.assert_allclose(moments, [0.25, 1 / 3, 0.5], rtol=1e-10)


def test_the_potential_of_ito_noise_depends_on_temperature():
    # Phi = int f'/D + T ln D, so that -T ln p has the power 1/2 + T of 1 + x^2
    x = np.linspace(0, 4, 9)
    for T in (0.1, 0.4):
        p = theory.stationary_density(PARABOLA, _growing(), at=x, temperature=T)
        potential = -T * np.log(p / p[0])
        np.testing.assert_allclose(potential[1:] / np.log(1 + x[1:] ** 2), 0.5 + T, rtol=1e-10)


def test_noise_that_makes_the_loss_the_potential_at_one_temperature():
    # D = 1 + c e^(f/T) in one dimension has Phi = f at that T alone: isotropy is not needed for it
    T, x = 0.5, np.linspace(-2, 2, 9)
    noise = sp.noises.Formula("1 + 0.3*exp(x**2/(2*0.5))")
    p = theory.stationary_density(PARABOLA, noise, at=x, temperature=T)
    np.testing.assert_allclose(p, np.exp(-(x**2) / (2 * T)) / np.sqrt(2 * np.pi * T), rtol=1e-9)
    hotter = theory.stationary_density(PARABOLA, noise, at=x, temperature=2 * T)
    assert abs(hotter[0] / hotter[4] / np.exp(-4 / (4 * T)) - 1) > 0.1


def test_the_double_well():
    assert theory.stationary_average(lambda x: x**2, WELL, temperature=0.1).item() == pytest.approx(0.871363, abs=5e-7)
    x = np.linspace(-2, 2, 4001)
    p = theory.stationary_density(WELL, at=x, temperature=0.1)
    weights = np.exp(-(x**4 / 4 - x**2 / 2) / 0.1)
    np.testing.assert_allclose(p, weights / (np.sum(weights) * 1e-3), rtol=1e-9)
    tilted = sp.landscapes.Expression("x**4/4 - x**2/2 + 0.1*x")
    grid = sp.Grid([(-3, 3, 600)])
    on_grid = sp.fokker_planck.stationary(tilted, temperature=0.1, grid=grid)["density"][0]
    exact = theory.stationary_density(tilted, at=on_grid["x"], temperature=0.1)
    assert float(np.abs(on_grid - exact).max() / exact.max()) < 2e-3


@pytest.mark.parametrize(
    ("landscape", "temperature", "moment"),
    [
        (sp.landscapes.Quadratic([[1e10]]), 1e-9, 1e-19),
        (sp.landscapes.Quadratic([[1e-8]]), 1.0, 1e8),
        (sp.landscapes.Expression("(x - 10000)**2/2"), 1.0, 1e8 + 1),
    ],
)
def test_any_scale_is_found(landscape, temperature, moment):
    result = theory.stationary_average(lambda x: x**2, landscape, temperature=temperature)
    assert result.item() == pytest.approx(moment, rel=1e-9)


def test_walls_and_settings_of_sgd():
    wave = sp.landscapes.Expression("cos(x)")
    p = theory.stationary_density(wave, at=[-1.0, 1.0, 8.0], temperature=0.5, interval=(0, 2 * np.pi))
    assert p.values[0] == p.values[2] == 0
    assert p.values[1] == pytest.approx(np.exp(-2 * np.cos(1)) / (2 * np.pi * np.i0(2)), rel=1e-12)
    sgd = sp.SGD(lr=0.2, batch_size=2, momentum=0.5)
    variance = theory.stationary_average(lambda x: x**2, PARABOLA, sp.noises.Isotropic(3.0), sgd=sgd)
    assert variance.item() == pytest.approx(3 * 0.1, rel=1e-10)


def test_noise_proportional_to_the_loss_finds_its_landscape():
    landscape = sp.landscapes.Expression("0.3 + 0.75*x**2")
    noise = sp.noises.ProportionalToLoss(factor=2, matrix=[[1.5]])
    sgd = sp.SGD(lr=0.2, batch_size=2)
    moment = theory.stationary_average(lambda x: x**2, landscape, noise, sgd=sgd)
    assert moment.item() == pytest.approx(theory.mori_second_moment(1.5, 0.3, sgd).item(), rel=1e-10)
    time = theory.mean_first_passage_time(landscape, noise, temperature=0.05, start=0.0, target=1.0)
    assert time.item() > 0


class Turning:
    dim = 1

    def gradient(self, x):
        return x

    def circulation(self, x):
        return np.ones_like(x)


@pytest.mark.parametrize(
    ("landscape", "noise", "options", "message"),
    [
        (PARABOLA, _growing("hanggi-klimontovich"), {"temperature": 1.01}, r"goes as \|x\|\^-0\.9901 on the right"),
        (sp.landscapes.Quadratic([[-1.0]]), None, {"temperature": 1.0}, "does not fall on the right"),
        (sp.landscapes.Expression("cos(x)"), None, {"temperature": 0.1}, "varies too fast"),
        (PARABOLA, sp.noises.Formula("1 + x"), {"temperature": 1.0}, "diffusion must be positive and finite"),
        (PARABOLA, None, {}, "exactly one of temperature= and sgd="),
        (PARABOLA, None, {"temperature": 0.0}, "temperature must be positive"),
        (PARABOLA, None, {"sgd": 0.1}, "sgd must be settings"),
        (PARABOLA, None, {"temperature": 1.0, "interval": (1, 0)}, "two walls in rising order, got 1, 0"),
        (PARABOLA, None, {"temperature": 1.0, "interpretation": "kimura"}, "interpretation must be one of"),
        (sp.landscapes.Quadratic(np.eye(2)), None, {"temperature": 1.0}, "must have one coordinate, got 2"),
        (Turning(), None, {"temperature": 1.0}, "has a circulating part"),
    ],
)
def test_what_has_no_density_is_refused(landscape, noise, options, message):
    with pytest.raises(ValueError, match=message):
        theory.stationary_density(landscape, noise, at=0.0, **options)


def test_averages_and_points_without_an_answer_are_refused():
    with pytest.raises(ValueError, match="times the observable goes as"):
        theory.stationary_average(lambda x: x**2, PARABOLA, _growing(), temperature=1.2)
    with pytest.raises(ValueError, match="one number a point"):
        theory.stationary_average(lambda x: x[:3], PARABOLA, temperature=1.0)
    with pytest.raises(ValueError, match="at must be finite points"):
        theory.stationary_density(PARABOLA, at=[np.nan], temperature=1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"landscape": None}, "the landscape must have dim and gradient"),
        ({"noise": 1.0}, "the noise must have diffusion"),
        ({"interval": 1.0}, "interval must be two walls"),
        ({"interval": np.array(1.0)}, "interval must be two walls"),
        ({"interval": (1.0, [2.0, 3.0])}, "interval must be finite"),
        ({"interval": (1.0, np.nan)}, "interval must be finite"),
        ({"interval": "ab"}, "interval must be two walls"),
        ({"interpretation": ["ito"]}, "interpretation must be one of"),
        ({"temperature": "warm"}, "temperature must be positive"),
        ({"at": "here"}, "at must be real numbers"),
        ({"at": 1e300}, "at must be finite points in one dimension, none as far as"),
    ],
)
def test_what_is_no_density_is_refused_in_one_line(options, message):
    given = {"landscape": PARABOLA, "noise": None, "at": [0.0], "temperature": 1.0} | options
    with pytest.raises(ValueError, match=message) as told:
        theory.stationary_density(given.pop("landscape"), given.pop("noise"), **given)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("observable", "message"),
    [(None, "must be a function"), (3.0, "must be a function"), (lambda x: "a", "must be real numbers")],
)
def test_observables_that_are_none_are_refused(observable, message):
    with pytest.raises(ValueError, match=message):
        theory.stationary_average(observable, PARABOLA, temperature=1.0)
