"""Learning rate and batch size in stages: clocks, temperatures, data order, functions, refusals."""

import json
import math
import pickle

import numpy as np
import pytest

from sgdphys import SGD, SGDSchedule, schedules

THREE = [(SGD(0.1, 10, n_samples=100), 30), (SGD(0.05, 10, n_samples=100), 5), (SGD(0.05, 40, n_samples=100), 7)]


def test_every_step_has_the_settings_of_its_stage():
    schedule = SGDSchedule(THREE)
    steps = np.array([[0, 29], [30, 34], [35, 41]])
    assert schedule.n_steps == 42
    assert schedule.lr(steps).tolist() == [[0.1, 0.1], [0.05, 0.05], [0.05, 0.05]]
    assert schedule.batch_size(steps).tolist() == [[10, 10], [10, 10], [40, 40]]
    assert schedule.batch_size(steps).dtype == np.int64
    np.testing.assert_allclose(schedule.temperature(steps)[:, 0], [0.005, 0.0025, 0.000625], rtol=1e-14)
    assert schedule.lr(30).shape == () and schedule.lr([]).shape == (0,)


def test_time_is_the_sum_of_the_learning_rates():
    schedule = SGDSchedule(THREE)
    exact = [math.fsum(schedule.lr(np.arange(k)).tolist()) for k in range(43)]
    np.testing.assert_allclose(schedule.times(np.arange(43)), exact, rtol=1e-15)
    assert schedule.times(0) == 0
    constant = SGDSchedule([(SGD(0.1, 10), 1000)])
    assert np.array_equal(
        constant.times(np.arange(1001)), 0.1 * np.arange(1001)
    )  # the clock of SGD(0.1, 10), to the bit


def test_the_sampling_factor_follows_the_batch_size():
    """Without replacement Cov = C/B (N-B)/(N-1), section 0; (1 - B/N) would be off by N/(N-1)."""
    form = {"n_samples": 100, "sampling": "without", "momentum": 0.5, "dampening": 0.25}
    schedule = SGDSchedule([(SGD(0.1, size, **form), 2) for size in (1, 20, 50, 100)])
    np.testing.assert_allclose(schedule.sampling_factor([0, 2, 4, 6]), [1, 80 / 99, 50 / 99, 0], rtol=1e-15)
    expected = [factor * 0.1 * 0.75 / 0.5 / (2 * size) for factor, size in ((1, 1), (80 / 99, 20), (50 / 99, 50))]
    np.testing.assert_allclose(schedule.temperature([1, 3, 5]), expected, rtol=1e-14)
    assert schedule.temperature(7) == 0
    shuffled = SGDSchedule([(SGD(0.1, 5, n_samples=10, sampling="shuffle"), 2)])
    for ask in (shuffled.sampling_factor, shuffled.temperature):
        with pytest.raises(ValueError, match="'shuffle' has no effective temperature"):
            ask([0])


def test_stages_of_epochs_drop_the_last_short_batch():
    schedule = SGDSchedule.from_epochs([(SGD(0.1, 10, n_samples=105), 2), (SGD(0.1, 40, n_samples=105), 3)])
    assert [length for _, length in schedule.stages] == [20, 6]
    axes = schedule.axes()
    assert axes["updates"].tolist() == [0, 20, 26]
    assert axes["epochs"].tolist() == [0, 2, 5]
    np.testing.assert_allclose(axes["time"], [0, 2, 2.6], rtol=1e-15)
    assert schedule.axes([10, 22])["epochs"].tolist() == [1, 3]


def test_axes_count_fractions_of_epochs():
    assert SGDSchedule(THREE).axes()["epochs"].tolist() == [0, 3, 3.5, 7]


def test_functions_of_the_step_become_stages():
    sgd = SGD(0.1, 10, momentum=0.5)
    cosine = schedules.Cosine(0.1, 0.02, begin=0, end=8)
    schedule = SGDSchedule.from_functions(sgd, 10, lr=cosine, batch_size=lambda step: 10 if step < 4 else 20)
    assert np.array_equal(schedule.lr(np.arange(10)), cosine(np.arange(10)))
    assert schedule.batch_size([3, 4]).tolist() == [10, 20]
    assert len(schedule.stages) == 9 and schedule.stages[-1] == (SGD(0.02, 20, momentum=0.5), 2)
    whole = SGDSchedule.from_functions(sgd, 10)
    assert whole.stages == ((sgd, 10),)
    assert whole == SGDSchedule([(sgd, 10)]) and hash(whole) == hash(SGDSchedule([(sgd, 10)]))


def test_functions_are_told_in_the_configuration():
    sgd = SGD(0.1, 10)
    many = SGDSchedule.from_functions(sgd, 1000, lr=lambda step: 0.1 / (1 + step))
    configuration = json.loads(json.dumps(many.configuration()))
    assert configuration["stages"]["count"] == 1000
    assert (
        "test_stages" in configuration["functions"]["lr"]["callable"]
        and configuration["functions"]["lr"]["source_hash"]
    )
    other = SGDSchedule.from_functions(sgd, 1000, lr=lambda step: 0.1 / (2 + step)).configuration()
    assert other["stages"] != configuration["stages"]
    curve = SGDSchedule.from_functions(sgd, 2, batch_size=schedules.Steps([0, 1], [10, 20])).configuration()
    assert curve["functions"] == {"batch_size": {"schedule": "Steps", "times": (0, 1), "values": (10, 20)}}


def test_a_configuration_makes_the_same_schedule_again():
    configuration = json.loads(json.dumps(SGDSchedule(THREE).configuration()))
    stages = [(SGD(lr, size, **configuration["sgd"]), length) for lr, size, length in configuration["stages"]]
    assert SGDSchedule(stages) == SGDSchedule(THREE)
    schedule = SGDSchedule(THREE)
    schedule.times(3)
    assert pickle.loads(pickle.dumps(schedule)) == schedule


def test_a_constant_schedule_has_the_data_order_of_its_settings():
    schedule = SGDSchedule([(SGD(0.1, 7, n_samples=30), 50)])
    epochs, offsets = schedule.epoch_and_offset(np.arange(51))
    assert np.array_equal(epochs, np.arange(51) // 4) and np.array_equal(offsets, np.arange(51) % 4 * 7)


def test_the_data_order_goes_on_over_stages():
    sgd = {"n_samples": 10}
    schedule = SGDSchedule([(SGD(0.1, 3, **sgd), 2), (SGD(0.1, 2, **sgd), 4), (SGD(0.1, 5, **sgd), 1)])
    epochs, offsets = schedule.epoch_and_offset([[0, 1], [2, 3], [4, 5], [6, 7]])
    assert offsets.tolist() == [[0, 3], [6, 8], [0, 2], [4, 0]]
    assert epochs.tolist() == [[0, 0], [0, 0], [1, 1], [1, 2]]


@pytest.mark.parametrize("ask", ["lr", "batch_size", "temperature", "sampling_factor"])
def test_steps_beyond_the_end_are_refused(ask):
    with pytest.raises(
        ValueError, match="steps must lie between 0 and 41, where the schedule ends, got 42; add a stage"
    ):
        getattr(SGDSchedule(THREE), ask)([3, 42])


@pytest.mark.parametrize("ask", ["times", "epoch_and_offset", "axes"])
def test_clocks_know_the_end(ask):
    schedule = SGDSchedule(THREE)
    getattr(schedule, ask)(42)
    with pytest.raises(ValueError, match="steps must lie between 0 and 42, where the schedule ends, got 43"):
        getattr(schedule, ask)(43)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda sgd: SGDSchedule.from_epochs([(sgd, 3)]), "epochs need the size of the data set: give SGD"),
        (lambda sgd: SGDSchedule([(sgd, 3)]).epoch_and_offset(0), "epochs need the size of the data set"),
        (lambda sgd: SGDSchedule([(sgd, 3)]).axes(), "epochs need the size of the data set"),
        (lambda sgd: SGDSchedule([(sgd, 3)]).equivalent(by="time"), "by must be 'batch_size' or 'lr', got 'time'"),
        (lambda sgd: SGDSchedule.from_functions(sgd, 0), "n_steps must be a positive integer, got 0"),
        (
            lambda sgd: SGDSchedule.from_functions(sgd, 9, lr=lambda step: 0.3 - 0.1 * step),
            "lr at step 3 must be positive and finite, got",
        ),
        (
            lambda sgd: SGDSchedule.from_functions(sgd, 9, batch_size=lambda step: 4 + step / 2),
            "batch_size at step 1 must be a positive integer, got 4.5",
        ),
        (
            lambda sgd: SGDSchedule.from_functions(SGD(0.1, 4, n_samples=10), 9, batch_size=lambda step: 4 + step),
            "batch_size must not exceed n_samples, got 11 > 10",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call(SGD(0.1, 4))
