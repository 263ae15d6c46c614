"""Settings of single steps over long and continued runs: place in the data, schedules, and counters far out."""

import dataclasses

import numpy as np
import pytest
from asserts import assert_same_bits

import sgdphys as sp
from sgdphys.observers import Moments, Snapshots
from sgdphys.simulation.lines import MOST_LINES

SUM = sp.landscapes.LeastSquares(np.random.default_rng(0).normal(size=(10, 2)), np.arange(10.0))
SHUFFLED = sp.SGD(lr=0.01, batch_size=3, sampling="shuffle", momentum=0.5, n_samples=10)
LONG = 2 * MOST_LINES + 5000
BOWL = sp.landscapes.Quadratic(1.0)


def rates(steps):
    return 0.001 + 0.01 * np.cos(np.asarray(steps) / 500) ** 2


def sizes(steps):
    return 1 + (np.asarray(steps) // 1000) % 4


@pytest.fixture(scope="module")
def stages():
    return sp.SGDSchedule.from_functions(SHUFFLED, LONG, lr=rates, batch_size=sizes)


@pytest.mark.parametrize("cut", [MOST_LINES - 1, 40_003])
@pytest.mark.parametrize("scheduled", [False, True])
def test_a_long_shuffled_run_cut_anywhere(stages, scheduled, cut):
    """The run takes three stretches of lines; cut elsewhere it takes others, and every bit is the same."""
    options = {"sgd": stages if scheduled else SHUFFLED, "n_particles": 1, "start": 0.1, "save_at": LONG + 1}
    whole = sp.simulate(SUM, **options, n_steps=LONG)
    first = sp.simulate(SUM, **{**options, "save_at": 1}, n_steps=cut)
    second = sp.simulate(SUM, **{**options, "start": first}, n_steps=LONG - cut)
    for name in ("position", "velocity", "time", "epoch", "epoch_phase"):
        assert_same_bits(second[name].values, whole[name].values[cut:])


def test_the_place_in_the_data_is_that_of_a_loop(stages):
    cloud = sp.simulate(SUM, sgd=stages, n_particles=1, save_at=LONG + 1)
    epoch, used = 0, 0
    places = []
    for size in sizes(np.arange(LONG)):
        if used + size > 10:
            epoch, used = epoch + 1, 0
        places.append((epoch, used / 10))
        used += size
    assert_same_bits(np.stack([cloud["epoch"], cloud["epoch_phase"]], axis=1)[:-1], np.array(places))
    np.testing.assert_allclose(cloud["time"], np.append(0.0, np.cumsum(rates(np.arange(LONG)))), rtol=1e-12)


def test_schedules_read_the_time_of_a_clock_with_offset():
    """Continued at twice the time step the clock has an offset; drive, temperature and kicks are those of its time."""
    drive, temperature = sp.schedules.Linear(0, 2, begin=0.5, end=3), sp.schedules.Linear(0.1, 0.4, begin=0.2, end=3)
    pulled = sp.landscapes.Driven(BOWL, sp.landscapes.Linear([1.0]), drive)
    first = sp.simulate(pulled, temperature=temperature, dt=0.01, n_steps=100, n_particles=3, start=0.0, save_at=1)
    second = sp.simulate(pulled, temperature=temperature, dt=0.02, n_steps=80, start=first, save_at=81)
    flat = sp.simulate(sp.landscapes.Quadratic(0.0), temperature=0.5, dt=1.0, n_steps=180, n_particles=3, save_at=181)
    normals = np.diff(flat["position"].values[..., 0], axis=0)[100:]
    times, x = second["time"].values, second["position"].values[..., 0]
    np.testing.assert_allclose(times, 1.0 + 0.02 * np.arange(81), rtol=1e-14)
    kicks = np.sqrt(2 * temperature(times[:-1]) * 0.02)[:, np.newaxis] * normals
    np.testing.assert_allclose(x[1:], x[:-1] - 0.02 * (x[:-1] + drive(times[:-1])[:, np.newaxis]) + kicks, atol=1e-13)


def test_readings_of_the_noise_follow_the_temperature_of_each_stage():
    """Haenggi-Klimontovich: the gradient of each step is f' - T D' with T = lr/(2 B (1 - mu)) of its stage."""
    noise = sp.noises.Formula("1 + x**2", interpretation="hanggi-klimontovich")
    settings = [sp.SGD(lr=0.1, batch_size=2, momentum=0.5), sp.SGD(lr=0.02, batch_size=5, momentum=0.5)]
    schedule = sp.SGDSchedule([(sgd, 50) for sgd in settings])
    cloud = sp.simulate(BOWL, noise, sgd=schedule, n_particles=4, start=0.3, save_at=101)
    flat = sp.simulate(sp.landscapes.Quadratic(0.0), temperature=0.5, dt=1.0, n_steps=100, n_particles=4, save_at=101)
    normals = np.diff(flat["position"].values[..., 0], axis=0)
    x, v = cloud["position"].values[..., 0], cloud["velocity"].values[..., 0]
    lr, batch = (np.repeat(values, 50)[:, np.newaxis] for values in ([0.1, 0.02], [2, 5]))
    gradient = x[:-1] - lr / batch * 2 * x[:-1] - np.sqrt((1 + x[:-1] ** 2) / batch) * normals
    np.testing.assert_allclose(v[1:], 0.5 * v[:-1] + gradient, atol=1e-12)
    np.testing.assert_allclose(x[1:], x[:-1] - lr * v[1:], atol=1e-12)
    without = x[:-1] - np.sqrt((1 + x[:-1] ** 2) / batch) * normals
    assert np.abs(0.5 * v[:-1] + without - v[1:]).max() > 1e-3


@pytest.mark.parametrize("sampling", ["replacement", "without", "shuffle"])
def test_minibatches_beyond_the_low_word_of_the_step(sampling):
    """Step 2^34 + 5 draws other samples than step 5, and observers are called at the right steps."""
    sgd = dataclasses.replace(SHUFFLED, momentum=0.0, sampling=sampling)
    cloud = sp.simulate(SUM, sgd=sgd, n_steps=1, n_particles=3, start=0.1, save_at=1).drop_vars(
        ["epoch", "epoch_phase"]
    )

    def at(step):
        moved = cloud.assign_coords(step=("time", [step]), time=[0.01 * step])
        return sp.simulate(
            SUM, sgd=sgd, n_steps=6, start=moved, save_at=7, observers=[Snapshots(last=7), Moments(at=7)]
        )

    far, near = at(2**34 + 5), at(5)
    assert far["step"].values.tolist() == list(range(2**34 + 5, 2**34 + 12))
    assert not np.any(far["position"].values[1:] == near["position"].values[1:])
    assert_same_bits(far["snapshot_position"].values, far["position"].values)
    np.testing.assert_allclose(far["mean"], far["position"].mean("particle"), rtol=1e-13)
