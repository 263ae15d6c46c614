"""Runs whose temperature, learning rate or batch size changes."""

import dataclasses
import json

import numpy as np
import pytest
from asserts import assert_same_bits, assert_within

import sgdphys as sp
from sgdphys.noises import Isotropic

BOWL = sp.landscapes.Quadratic(1.0)
SGD = sp.SGD(lr=0.1, batch_size=4)
FEW = {"n_particles": 50, "start": 1.0, "seed": 1}
SUM = sp.landscapes.LeastSquares(np.random.default_rng(7).normal(size=(10, 2)), np.arange(10.0))


def test_a_constant_schedule_is_a_constant():
    options = {"dt": 0.1, "n_steps": 30, **FEW}
    constant = sp.simulate(BOWL, temperature=0.1, **options)
    assert_same_bits(sp.simulate(BOWL, temperature=lambda t: np.full(np.shape(t), 0.1), **options), constant)
    assert_same_bits(sp.simulate(BOWL, temperature=sp.schedules.Constant(0.1), **options), constant)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_one_stage_is_no_schedule(momentum):
    sgd = dataclasses.replace(SGD, momentum=momentum)
    one = sp.simulate(BOWL, Isotropic(1.0), sgd=sp.SGDSchedule([(sgd, 30)]), **FEW)
    assert_same_bits(one, sp.simulate(BOWL, Isotropic(1.0), sgd=sgd, n_steps=30, **FEW))


@pytest.mark.parametrize("noise", [Isotropic(1.0), None])
def test_stages_are_runs_that_continue_each_other(noise):
    landscape = sp.landscapes.Quadratic(np.eye(2)) if noise is not None else SUM
    slow = dataclasses.replace(SGD, lr=0.02, batch_size=2)
    whole = sp.simulate(landscape, noise, sgd=sp.SGDSchedule([(SGD, 7), (slow, 9)]), **FEW)
    first = sp.simulate(landscape, noise, sgd=SGD, n_steps=7, **FEW)
    second = sp.simulate(landscape, noise, sgd=slow, n_steps=9, start=first, seed=1)
    assert_same_bits(whole["position"].values[:8], first["position"].values)
    assert_same_bits(whole["position"].values[7:], second["position"].values)
    np.testing.assert_allclose(whole["time"], [*first["time"].values, *second["time"].values[1:]], rtol=1e-14)
    assert float(whole["time"][-1]) == pytest.approx(0.1 * 7 + 0.02 * 9)


def test_a_linear_anneal_has_its_exact_variance():
    """Var' = (1 - h dt)^2 Var + 2 T(t_k) dt, step by step; the final temperature alone would give half of it."""
    schedule, dt, n = sp.schedules.Linear(1.0, 0.2, 0.0, 2.0), 0.05, 40_000
    cloud = sp.simulate(BOWL, temperature=schedule, dt=dt, n_steps=40, n_particles=n, start=0.0, seed=2, save_at=1)
    variance = 0.0
    for step in range(40):
        variance = (1 - dt) ** 2 * variance + 2 * float(schedule(np.array([step * dt]))[0]) * dt
    estimate = float((cloud["position"] ** 2).mean())
    assert_within(estimate, variance, variance * np.sqrt(2 / n))
    assert abs(estimate - 0.2 / (1 - dt / 2)) > 10 * variance * np.sqrt(2 / n)


def test_the_configuration_names_the_schedule():
    cloud = sp.simulate(BOWL, temperature=sp.schedules.Linear(1.0, 0.2, 0.0, 2.0), dt=0.1, n_steps=3, **FEW)
    assert json.loads(cloud.attrs["configuration"])["temperature"]["last"] == 0.2
    cloud = sp.simulate(BOWL, Isotropic(), sgd=sp.SGDSchedule([(SGD, 3)]), **FEW)
    assert json.loads(cloud.attrs["configuration"])["sgd"]["stages"] == [[0.1, 4, 3]]


@pytest.mark.parametrize("sampling", ["replacement", "without", "shuffle"])
def test_epoch_and_phase_of_frames(sampling):
    sgd = sp.SGD(lr=0.01, batch_size=4, sampling=sampling)
    cloud = sp.simulate(SUM, sgd=sgd, n_steps=6, **FEW)
    steps = np.arange(7)
    if sampling == "shuffle":  # the last two of ten samples are dropped
        epoch, phase = steps // 2, steps % 2 * 0.4
    else:
        epoch, phase = steps * 4 // 10, steps * 4 % 10 / 10
    np.testing.assert_array_equal(cloud["epoch"], epoch)
    np.testing.assert_allclose(cloud["epoch_phase"], phase, atol=1e-15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 8}, "the schedule has 7 steps, the run would go from step 0 to step 8"),
        ({"t1": 0.25}, "t1 must be a time of a step of the schedule, got 0.25; the nearest are 0.2 and 0.3"),
        ({"t1": 0.2, "n_steps": 2}, "give at most one of t1="),
        ({"temperature": 0.1}, "give sgd= or temperature= and dt=, not both"),
    ],
)
def test_what_does_not_fit_a_schedule_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sp.simulate(BOWL, Isotropic(), sgd=sp.SGDSchedule([(SGD, 7)]), **FEW, **options)


def test_a_negative_temperature_is_named_with_its_time():
    with pytest.raises(ValueError, match=r"temperature at time .* must be finite and not negative, got -"):
        sp.simulate(BOWL, temperature=lambda t: 0.3 - t, dt=0.1, n_steps=10, **FEW)


def test_a_schedule_ends_where_t1_says():
    cloud = sp.simulate(BOWL, Isotropic(), sgd=sp.SGDSchedule([(SGD, 7)]), t1=0.3, **FEW)
    assert cloud["step"].values.tolist() == [0, 1, 2, 3]


def test_another_number_of_samples_is_refused():
    with pytest.raises(ValueError, match="n_samples=11 is not the landscape's number of samples, 10"):
        sp.simulate(SUM, sgd=sp.SGD(lr=0.1, batch_size=1, n_samples=11), n_steps=1, **FEW)
    with pytest.raises(ValueError, match="batch_size must not exceed n_samples, got 12 > 10"):
        sp.simulate(SUM, sgd=sp.SGD(lr=0.1, batch_size=12), n_steps=1, **FEW)
