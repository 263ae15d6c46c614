"""Time axes: multiples of the step, frames, and clocks that go on."""

import numpy as np
import pytest

from sgdphys import SGD, SGDSchedule
from sgdphys.errors import MemoryLimitError
from sgdphys.simulation.times import Clock, ScheduledClock, last_step, saved_steps


@pytest.mark.parametrize(
    ("first", "dt", "t1", "n_steps", "last"),
    [
        (0, 0.01, 50.0, None, 5000),
        (0, 0.1, 0.3, None, 3),
        (0, 1 / 3, 1.0, None, 3),
        (0, 0.001, 1e7, None, 10**10),
        (7, 0.1, None, 5, 12),
        (7, 0.1, None, 5.0, 12),
        (7, 0.1, None, np.int64(5), 12),
        (30, 0.1, 3.1, None, 31),
    ],
)
def test_last_step(first, dt, t1, n_steps, last):
    assert last_step(first, dt, t1, n_steps) == last


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0.1, None, None), "give exactly one of t1= .* and n_steps="),
        ((0, 0.1, 1.0, 10), "give exactly one"),
        ((0, 0.1, 1.05, None), r"multiple of the time step 0\.1, got 1\.05; the nearest are 1 and 1\.1"),
        ((0, 0.3, 1.0, None), r"the nearest are 0\.9 and 1\.2"),
        ((0, 1e-6, 1e3 + 5e-7, None), "the nearest are 1000 and 1000.000001"),
        ((0, 0.1, 0.0, None), "after the beginning"),
        ((0, 0.1, -1.0, None), "after the beginning of the run at time 0, got -1"),
        ((50, 0.1, 5.0, None), "after the beginning of the run at time 5, got 5"),
        ((0, 0.1, float("nan"), None), "finite"),
        ((0, 0.1, float("inf"), None), "finite"),
        ((0, 0.1, "a", None), "t1 must be finite, got a"),
        ((0, 0.1, [1], None), r"t1 must be finite, got \[1\]"),
        ((0, 0.1, True, None), "t1 must be finite, got True"),
        ((0, 0.1, None, 0), "n_steps must be a positive integer, got 0"),
        ((0, 0.1, None, -3), "got -3"),
        ((0, 0.1, None, 2.5), "got 2.5"),
        ((0, 0.1, None, float("nan")), "got nan"),
        ((0, 0.1, None, True), "got True"),
    ],
)
def test_refused_ends(arguments, message):
    with pytest.raises(ValueError, match=message):
        last_step(*arguments)


@pytest.mark.parametrize(
    ("save_at", "steps"),
    [
        (0, []),
        (1, [20]),
        (2, [10, 20]),
        (3, [10, 15, 20]),
        (11, list(range(10, 21))),
        (500, list(range(10, 21))),
        (1e10, list(range(10, 21))),
        (2**63, list(range(10, 21))),
        (1e300, list(range(10, 21))),
        (np.int64(3), [10, 15, 20]),
        ([], []),
        ([1.0, 2.0], [10, 20]),
        ([1.26, 1.04, 1.26], [10, 13]),
        ((1.5,), [15]),
    ],
)
def test_saved_steps(save_at, steps):
    assert saved_steps(save_at, 10, 20, 0.1).tolist() == steps


@pytest.mark.parametrize(
    ("save_at", "message"),
    [
        (-1, "got -1"),
        (2.5, "a number of frames unless it is a list of times"),
        (float("nan"), "got nan"),
        ("all", "got all"),
        (None, "got None"),
        ([0.5], "save_at must lie between 1 and 2, got 0.5 to 0.5"),
        ([1.0, 2.2], "got 1 to 2.2"),
        ([1e300], "must lie between"),
        ([1.0, float("nan")], "finite times"),
        ([[1.0, 2.0]], r"got shape \(1, 2\)"),
        (["a"], r"list of finite times, got \['a'\]"),
        ([[1], [1, 2]], r"list of finite times, got \[\[1\]"),
        ([1j], "list of finite times, got"),
        ({}, "got {}"),
    ],
)
def test_refused_frames(save_at, message):
    with pytest.raises(ValueError, match=message):
        saved_steps(save_at, 10, 20, 0.1)


def test_a_clock_tells_the_sum_of_the_steps_taken():
    clock = Clock(0.05, offset=1.0)
    assert clock.time(20) == 2.0
    np.testing.assert_allclose(clock.time(np.array([20, 40])), [2.0, 3.0])
    assert clock.steps(3.0) == pytest.approx(40)
    assert last_step(20, 0.05, 3.0, None, offset=1.0) == 40
    assert saved_steps([2.0, 3.0], 20, 40, 0.05, offset=1.0).tolist() == [20, 40]


def test_a_list_of_steps_that_does_not_fit_into_memory_is_refused():
    with pytest.raises(MemoryLimitError, match="save_at: a list of 10000000000000 steps: 320 TB are needed"):
        saved_steps(1e20, 1, 10**13, 0.1)


def test_times_summed_up_in_another_order_are_those_of_a_schedule():
    # the cumulative sum is 9e-16 above the end 5.5; taken as beyond it, the last frame was refused
    rates = [0.3] * 9 + [0.1] * 8 + [0.2] * 10
    clock = ScheduledClock(SGDSchedule([(SGD(0.3, 4), 9), (SGD(0.1, 7), 8), (SGD(0.2, 7), 10)]))
    times = np.append(0.0, np.cumsum(rates))
    assert times[-1] != clock.time(27)
    np.testing.assert_array_equal(clock.nearest(times), np.arange(28))
    assert clock.nearest(np.array([-1e-9, 5.5 + 1e-9])).tolist() == [-1.0, 28.0]
