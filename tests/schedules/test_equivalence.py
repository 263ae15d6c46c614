"""Decaying the learning rate against growing the batch, physics.md 16."""

import numpy as np
import pytest

from sgdphys import SGD, SGDSchedule

DECAY = SGDSchedule.from_epochs([(SGD(lr, 10, n_samples=1000), 5) for lr in (0.1, 0.02, 0.004)])
GROWTH = SGDSchedule.from_epochs([(SGD(0.1, size, n_samples=1000), 5) for size in (10, 50, 250)])


def test_a_falling_rate_and_a_growing_batch():
    """Smith, Kindermans & Le: 15 epochs in 1500 or in 620 updates, at the same temperature and time throughout."""
    other = DECAY.equivalent(by="batch_size")
    assert other == GROWTH and GROWTH.equivalent(by="lr") == DECAY
    assert (DECAY.n_steps, other.n_steps) == (1500, 620)
    for name in ("epochs", "time"):
        np.testing.assert_allclose(DECAY.axes()[name], other.axes()[name], rtol=1e-14)
    np.testing.assert_allclose(DECAY.temperature([0, 500, 1000]), other.temperature([0, 500, 600]), rtol=1e-14)


def variances_at_stage_ends(schedule, curvature=1.0, covariance=1.0):
    """Return the exact variance of SGD on a parabola with additive noise, from rest, at the ends of the stages."""
    variance, found = 0.0, []
    for sgd, length in schedule.stages:
        for _ in range(length):
            variance = (1 - sgd.lr * curvature) ** 2 * variance + sgd.lr**2 * covariance / sgd.batch_size
        found.append(variance)
    return np.array(found)


def test_the_discrete_maps_differ_to_the_order_of_lr():
    first, second = variances_at_stage_ends(DECAY), variances_at_stage_ends(DECAY.equivalent(by="batch_size"))
    np.testing.assert_allclose(first, [0.00526316, 0.00101010, 0.00021511], atol=5e-9)
    np.testing.assert_allclose(second, [0.00526316, 0.00105263, 0.00022297], atol=5e-9)
    np.testing.assert_allclose(second / first, [1, 1.04211, 1.03654], atol=5e-6)


def test_the_equation_in_time_is_the_same_to_rounding():
    """The Ornstein-Uhlenbeck variance depends on temperature and duration of the stages alone."""
    ends = []
    for schedule in (DECAY, DECAY.equivalent(by="batch_size")):
        variance = 0.0
        for sgd, length in schedule.stages:
            rest = np.exp(-2 * sgd.lr * length)
            variance = rest * variance + (1 - rest) * sgd.effective_temperature
        ends.append(variance)
    assert ends[0] == pytest.approx(ends[1], rel=1e-13)


def test_all_forms_of_momentum_are_kept():
    form = {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01}
    schedule = SGDSchedule([(SGD(0.1, 4, **form), 60), (SGD(0.05, 4, **form), 60)])
    assert schedule.equivalent(by="batch_size").stages[1] == (SGD(0.1, 8, **form), 30)


def test_without_replacement_the_factor_is_accounted_for():
    schedule = SGDSchedule.from_epochs([(SGD(0.1, size, n_samples=100, sampling="without"), 4) for size in (5, 20)])
    other = schedule.equivalent(by="lr")
    assert other.stages[1][0].lr == pytest.approx(0.1 * (80 / 20) / (95 / 5)) and other.stages[1][1] == 80
    again = other.equivalent(by="batch_size")
    assert [(sgd.batch_size, length) for sgd, length in again.stages] == [(5, 80), (20, 20)]


def test_without_the_size_of_the_data_set_samples_are_kept():
    assert SGDSchedule([(SGD(0.1, 4), 5), (SGD(0.05, 4), 6)]).equivalent(by="batch_size").stages[1][1] == 3


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([(SGD(0.1, 4), 5), (SGD(0.07, 4), 5)], "stage 2: lr=0.1 needs batch_size=5.71429 for the same temperature"),
        (
            [(SGD(0.1, 4), 5), (SGD(0.05, 4), 5)],
            "stage 2: 5 steps of batch_size=4 last as many epochs as 2.5 of batch_",
        ),
        (
            [(SGD(0.1, 4, n_samples=10), 5), (SGD(0.02, 4, n_samples=10), 5)],
            "stage 2: batch_size must not exceed n_samples, got 20 > 10",
        ),
        ([(SGD(0.1, 4, n_samples=10, sampling="shuffle"), 5)], "stage 1: sampling='shuffle' has no effective temp"),
    ],
)
def test_what_has_no_equivalent_is_refused(stages, message):
    with pytest.raises(ValueError, match=message):
        SGDSchedule(stages).equivalent(by="batch_size")
