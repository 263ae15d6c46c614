import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from grid_landscapes import Well
from scipy.integrate import simpson

import sgdphys as sp
from sgdphys import landscapes
from sgdphys.fokker_planck import Grid, first_passage_distribution, mean_first_passage_time, relaxation_rates

LINE = Grid([(-2.6, 2.6, 300)])
ACROSS = {"temperature": 0.1, "grid": LINE, "start": -1.0, "target": "x > 1"}


def test_moments_are_integrals_of_the_survival():
    times = np.linspace(0, 800, 801)
    found = first_passage_distribution(Well(), times=times, **ACROSS)
    survival = found["survival"].values
    tail = float(relaxation_rates(Well(), temperature=0.1, grid=LINE, target="x > 1", count=1)["relaxation_rate"][0])
    mean = simpson(survival, x=times) + survival[-1] / tail
    assert mean == pytest.approx(float(found["mean_first_passage_time"]), rel=1e-4)
    assert float(found["mean_first_passage_time"]) == float(mean_first_passage_time(Well(), **ACROSS))
    second = simpson(2 * times * survival, x=times) + 2 * survival[-1] * (800 / tail + 1 / tail**2)
    assert second - mean**2 == pytest.approx(float(found["first_passage_variance"]), rel=5e-4)
    assert float(found["first_passage_variation"]) == pytest.approx(0.952, abs=1e-3)
    assert simpson(found["first_passage_density"], x=times) == pytest.approx(1 - survival[-1], abs=2e-4)


def test_the_tail_falls_with_the_quasi_stationary_rate():
    times = np.array([0.0, 150, 300])
    found = first_passage_distribution(Well(), times=times, tolerance=1e-8, **ACROSS)
    rate = float(relaxation_rates(Well(), temperature=0.1, grid=LINE, target="x > 1", count=1)["relaxation_rate"][0])
    survival = found["survival"].values
    assert np.log(survival[1] / survival[2]) / 150 == pytest.approx(rate, rel=1e-6)
    np.testing.assert_allclose(found["first_passage_density"][1:] / survival[1:], rate, rtol=1e-6)


def test_free_diffusion_to_a_wall():
    # S = erf(x / sqrt(4 T t)), Smirnov's density x / sqrt(4 pi T t^3) exp(-x^2 / (4 T t))
    from scipy.special import erf

    grid = Grid([(0, 12, 600)], [("absorbing", "reflecting")])
    times = np.array([0.25, 0.5, 1, 2, 4])
    found = first_passage_distribution(
        landscapes.Expression("0*x"), temperature=0.5, grid=grid, start=1.0, times=times, tolerance=1e-7
    )
    np.testing.assert_allclose(found["survival"], erf(1 / np.sqrt(2 * times)), atol=2e-4)
    exact = np.exp(-1 / (2 * times)) / np.sqrt(2 * np.pi * times**3)
    np.testing.assert_allclose(found["first_passage_density"], exact, rtol=3e-3)


def test_particles_agree():
    # n = 20,000, dt = .005: the bridge corrects crossings between steps
    # the wrong variant is twice the temperature, lr/B for lr/2B
    times = np.array([5.0, 10, 20, 30])
    settings = {"grid": LINE, "start": -1.0, "target": "x > 0", "times": times}
    exact = first_passage_distribution(Well(), temperature=0.1, **settings)["survival"].values
    wrong = first_passage_distribution(Well(), temperature=0.2, **settings)["survival"].values
    cloud = sp.simulate(
        landscapes.DoubleWell(), temperature=0.1, dt=0.005, t1=30.0, n_particles=20_000, start=-1.0, save_at=0, seed=5,
        observers=[sp.observers.FirstPassage("x > 0", bridge=True)],
    )  # fmt: skip
    hit = cloud["first_passage_time"].values
    share = np.array([np.mean(~(hit <= time)) for time in times])
    error = np.sqrt(exact * (1 - exact) / hit.size)
    assert_within(share, exact, error)
    assert_excluded(share, wrong, error)


def test_a_start_in_the_target_has_passed():
    found = first_passage_distribution(Well(), times=[0.0, 1.0], **{**ACROSS, "start": 1.2})
    np.testing.assert_array_equal(found["survival"], 0)
    assert float(found["mean_first_passage_time"]) == 0
    assert np.isnan(float(found["first_passage_variation"]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"times": [1.0, 1.0]}, "times must increase"),
        ({"times": [-1.0, 1.0]}, "not begin before 0"),
        ({"times": [np.nan]}, "finite numbers"),
        ({"tolerance": 2.0}, "tolerance must lie between 0 and 1"),
        ({"target": None}, "nothing leaves"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as refusal:
        first_passage_distribution(Well(), **ACROSS | {"times": [1.0]} | settings)
    assert "\n" not in str(refusal.value)
