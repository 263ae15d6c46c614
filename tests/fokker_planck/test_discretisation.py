import numpy as np
import pytest
from grid_landscapes import Bowl, Well

import sgdphys as sp
from sgdphys import SGD
from sgdphys.fokker_planck import Grid, discretise
from sgdphys.noises import Diagonal, Full, Isotropic

LINE = Grid([(-2, 2, 40)])
PLANE = Grid([(-2, 2, 10), (-2, 2, 12)])


class Cliff:
    dim = 1

    def potential(self, x):
        return np.where(x[:, 0] > 1.5, np.nan, x[:, 0] ** 2)


class Hot:
    def diffusion(self, x):
        return (1 + x**2)[:, :, None]


def test_sgd_is_its_effective_temperature():
    sgd = SGD(lr=0.2, batch_size=4, n_samples=100, sampling="without")
    by_sgd = discretise(Well(), Isotropic(2.0), sgd=sgd, grid=LINE)
    by_temperature = discretise(Well(), Isotropic(2.0), temperature=sgd.effective_temperature, grid=LINE)
    np.testing.assert_array_equal(by_sgd.forward, by_temperature.forward)
    assert by_sgd.equation.temperature == pytest.approx(0.2 / 8 * 96 / 99)


def test_momentum_speeds_up_and_heats():
    plain = discretise(Well(), Isotropic(1.0), temperature=0.025 / 0.1, grid=LINE)
    heavy = discretise(Well(), Isotropic(1.0), sgd=SGD(lr=0.2, batch_size=4, momentum=0.9), grid=LINE)
    np.testing.assert_allclose(heavy.forward, 10 * plain.forward, rtol=1e-12)


def test_weight_decay_joins_the_potential():
    decayed = discretise(Well(), Isotropic(1.0), sgd=SGD(lr=0.2, batch_size=4, weight_decay=0.6), grid=LINE)
    x = LINE.centres[0]
    np.testing.assert_allclose(decayed.equation.energy(x[:, None]), x**4 / 4 - x**2 / 2 + 0.3 * x**2)


def test_diagonal_noise_has_one_energy_for_each_axis():
    operator = discretise(Bowl(((1.0, 0.0), (0.0, 1.0))), Diagonal([1.0, 0.5]), temperature=0.2, grid=PLANE)
    spacing = np.array(PLANE.spacing)[operator.kinds]
    np.testing.assert_allclose(operator.conductances * spacing**2, np.array([0.2, 0.1])[operator.kinds])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"temperature": -1.0}, "temperature must be positive"),
        ({"temperature": float("nan")}, "temperature must be positive"),
        ({}, "exactly one of temperature= and sgd="),
        ({"temperature": 0.1, "sgd": SGD(lr=0.1, batch_size=1)}, "exactly one of temperature= and sgd="),
        ({"sgd": SGD(lr=0.1, batch_size=1)}, "give a noise"),
        ({"sgd": SGD(0.1, 4, n_samples=4, sampling="without"), "noise": Isotropic(1.0)}, "must be positive"),
        ({"sgd": SGD(0.1, 4, n_samples=40, sampling="shuffle"), "noise": Isotropic(1.0)}, "no effective temperature"),
        ({"temperature": 0.1, "noise": Hot()}, "depends on x"),
        ({"temperature": 0.1, "noise": Isotropic(0.0)}, "must be positive in all directions"),
        ({"temperature": 0.1, "grid": PLANE}, "2 axes, the landscape 1 coordinates"),
        ({"temperature": 0.1, "landscape": Cliff()}, r"nan in 5 cells, first at \(1.55\)"),
        ({"temperature": 0.1, "landscape": Well(dim=2), "grid": PLANE, "noise": Diagonal([1, 2, 3])}, "3 coordinates"),
        ({"temperature": 1, "landscape": Well(dim=2), "grid": PLANE, "noise": Full([[1, 1], [1, 1]])}, "is 0: add"),
    ],
)
def test_bad_settings_are_refused_in_one_line(arguments, message):
    settings = {"landscape": Well(), "grid": LINE} | arguments
    with pytest.raises(ValueError, match=message) as refusal:
        discretise(settings.pop("landscape"), settings.pop("noise", None), **settings)
    assert "\n" not in str(refusal.value)


def test_what_changes_in_time_is_refused():
    bowl, grid = sp.landscapes.Quadratic(1.0), sp.Grid([(-3, 3, 20)])
    driven = sp.landscapes.Driven(bowl, bowl, sp.schedules.Linear(0.0, 1.0, 0.0, 1.0))
    with pytest.raises(ValueError, match=r"changes in time and .* give landscape\.at\(time\)"):
        sp.fokker_planck.stationary(driven, temperature=0.1, grid=grid)
    frozen = sp.fokker_planck.stationary(driven.at(1.0), temperature=0.1, grid=grid)
    assert float(frozen["density"].max()) > float(
        sp.fokker_planck.stationary(bowl, temperature=0.1, grid=grid)["density"].max()
    )
    with pytest.raises(ValueError, match="temperature must not change in time here"):
        sp.fokker_planck.stationary(bowl, temperature=sp.schedules.Linear(0.1, 0.2, 0, 1), grid=grid)
    stages = sp.SGDSchedule([(sp.SGD(lr=0.1, batch_size=1), 3), (sp.SGD(lr=0.1, batch_size=2), 3)])
    with pytest.raises(ValueError, match="temperature must not change in time here"):
        sp.fokker_planck.stationary(bowl, sp.noises.Isotropic(), sgd=stages, grid=grid)


def test_the_decay_of_a_twin_is_not_added_twice():
    twin, grid = Well(), Grid([(-2, 2, 20)])
    object.__setattr__(twin, "origin", np.zeros(5))
    with pytest.raises(ValueError, match="twin holds the weight decay already"):
        discretise(twin, Isotropic(1.0), sgd=SGD(0.1, 1, weight_decay=0.1), grid=grid)
    discretise(twin, Isotropic(1.0), sgd=SGD(0.1, 1), grid=grid)


def test_a_short_axis_limits_the_reach():
    along = np.array([3.0, 1.0]) / np.sqrt(10)
    noise, bowl = Full(np.outer(along, along) + 1e-3 * np.eye(2)), sp.landscapes.Quadratic(np.eye(2))
    with pytest.raises(ValueError, match="need hops of 3 cells, and this grid takes 2"):
        discretise(bowl, noise, temperature=0.1, grid=Grid([(-2, 2, 40), (-0.4, 0.4, 8)]))
    discretise(bowl, noise, temperature=0.1, grid=Grid([(-2, 2, 40), (-0.8, 0.8, 16)]))
