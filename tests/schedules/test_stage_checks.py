"""What the stages of a schedule must be."""

import numpy as np
import pytest

from sgdphys import SGD, SGDSchedule
from sgdphys.schedules.stage_checks import as_step_numbers


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (SGD(0.1, 4), "stages must be a list of pairs such as .SGD"),
        (None, "stages must be a list of pairs"),
        ("ab", "stages must be a list of pairs"),
        ([], "a schedule needs at least one stage, a pair such as .SGD"),
        ([SGD(0.1, 4)], "stage 1 must be a pair such as .*, got SGD"),
        ([(SGD(0.1, 4), 10), (0.1, 10)], r"stage 2 must be a pair such as .*, got \(0.1, 10\)"),
        ([(SGD(0.1, 4), 0)], "n_steps of stage 1 must be a positive integer, got 0"),
        ([(SGD(0.1, 4), 2.5)], "n_steps of stage 1 must be a positive integer, got 2.5"),
        (
            [(SGD(0.1, 4), 1), (SGD(0.1, 4, momentum=0.9), 1)],
            "only lr and batch_size may change, but momentum is 0.0 in stage 1 and 0.9 in stage 2; give all stages the",
        ),
        ([(SGD(0.1, 4), 1), (SGD(0.1, 4, n_samples=9), 1)], "n_samples is None in stage 1 and 9 in stage 2"),
        (
            [(SGD(0.1, 4, momentum=0.5), 1), (SGD(0.1, 4, momentum=0.5, nesterov=True), 1)],
            "nesterov is False in stage 1 and True in stage 2",
        ),
        (
            [(SGD(0.1, 4, n_samples=9), 1), (SGD(0.1, 4, n_samples=9, sampling="shuffle"), 1)],
            "sampling is 'replacement'",
        ),
    ],
)
def test_stages_that_are_none_are_refused(stages, message):
    with pytest.raises(ValueError, match=message):
        SGDSchedule(stages)


def test_the_unit_of_a_stage_is_named():
    with pytest.raises(ValueError, match="epochs of stage 1 must be a positive integer, got -1"):
        SGDSchedule.from_epochs([(SGD(0.1, 4, n_samples=8), -1)])


def test_whole_numbers_of_any_kind_are_steps():
    for steps in ([0, 3], np.array([0.0, 3.0]), np.array([0, 3], dtype=np.uint8)):
        numbers = as_step_numbers(steps, 3)
        assert numbers.dtype == np.int64 and numbers.tolist() == [0, 3]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([0.5], "steps must be whole numbers, got"),
        (["1"], "steps must be whole numbers"),
        ([float("nan")], "steps must be whole numbers"),
        ([True], "steps must be whole numbers"),
        ([-1, 2], "steps must lie between 0 and 3, where the schedule ends, got -1"),
        ([1, 4], "got 4; add a stage"),
    ],
)
def test_other_numbers_are_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        as_step_numbers(steps, 3)
