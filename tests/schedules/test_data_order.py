"""The data order of a schedule against a walk through it, step by step."""

import numpy as np
import pytest

from sgdphys import SGD, SGDSchedule


def walk(sizes, n_samples):
    """Return epoch and first position of each batch, taken one after the other."""
    epoch, position, places = 0, 0, []
    for size in sizes:
        if position + size > n_samples:
            epoch, position = epoch + 1, 0
        places.append((epoch, position))
        position += size
    return np.array(places).T


@pytest.mark.parametrize("seed", range(40))
def test_batches_follow_each_other_over_any_stages(seed):
    rng = np.random.default_rng(seed)
    n_samples = int(rng.integers(1, 40))
    sizes = rng.integers(1, n_samples + 1, size=rng.integers(1, 7)).tolist()
    lengths = rng.integers(1, 30, size=len(sizes)).tolist()
    pairs = zip(sizes, lengths, strict=True)
    schedule = SGDSchedule([(SGD(0.1, size, n_samples=n_samples), length) for size, length in pairs])
    steps = np.arange(schedule.n_steps)
    epochs, offsets = schedule.epoch_and_offset(steps)
    expected = walk(schedule.batch_size(steps).tolist(), n_samples)
    assert np.array_equal([epochs, offsets], expected)
    assert epochs.dtype == offsets.dtype == np.int64


def test_a_stage_that_fills_an_epoch_from_its_middle_on():
    """Batches 4 | 3, 3 fill ten samples: the next one, of 1, begins an epoch. Counted from 0, three of 3 leave one."""
    sizes = [(4, 1), (3, 2), (1, 2)]
    schedule = SGDSchedule([(SGD(0.1, size, n_samples=10), length) for size, length in sizes])
    epochs, offsets = schedule.epoch_and_offset(np.arange(5))
    assert epochs.tolist() == [0, 0, 0, 1, 1]
    assert offsets.tolist() == [0, 4, 7, 0, 1]


def test_the_step_after_the_last_is_one_more_of_the_last_stage():
    stages = [(SGD(0.1, 3, n_samples=10), 3), (SGD(0.1, 4, n_samples=10), 1)]
    longer = SGDSchedule([stages[0], (stages[1][0], 2)])
    assert SGDSchedule(stages).epoch_and_offset(4) == longer.epoch_and_offset(4)
