"""Numbers, schedules and functions of time as checked schedules."""

import json
import math
from bisect import bisect

import numpy as np
import pytest

from sgdphys import SGD, schedules
from sgdphys.schedules import as_schedule
from sgdphys.schedules.conversion import evaluate


def cooling(times):
    return 0.2 / (1 + times)


def one_at_a_time(time):
    return 0.2 if time < 1 else 0.1 * math.exp(-time)


def test_a_number_is_constant():
    schedule = as_schedule("temperature", np.float32(0.5))
    assert schedule([1.0, 2.0]).tolist() == [0.5, 0.5]
    assert schedule.constant == 0.5
    assert schedule.configuration() == {"schedule": "Constant", "value": 0.5}
    assert as_schedule("temperature", schedules.Constant(0.5)) == schedule == as_schedule("temperature", schedule)


def test_a_schedule_is_itself():
    curve = schedules.Linear(0.2, 0.1, 0, 10)
    schedule = as_schedule("temperature", curve)
    times = np.linspace(0, 12, 5)
    assert np.array_equal(schedule(times), curve(times))
    assert schedule.configuration() == curve.configuration()
    assert schedule.constant is None
    assert isinstance(schedule, schedules.Schedule) and isinstance(curve, schedules.Schedule)
    assert as_schedule("pull", schedule, sign="any") == as_schedule("pull", curve, sign="any")


@pytest.mark.parametrize(
    "function",
    [
        cooling,
        one_at_a_time,
        lambda time: 0.3,
        lambda time: [0.4, 0.3, 0.2][bisect([1.0, 2.0], time)],
        lambda time: 0.1 * float(time).is_integer(),
        np.exp,
    ],
)
def test_functions_of_arrays_and_of_numbers(function):
    times = np.array([[0.5, 1.0, 3.0], [0.0, 1.5, 2.0]])
    values = as_schedule("temperature", function)(times)
    np.testing.assert_array_equal(values, [[function(time) for time in row] for row in times.tolist()])
    for single in (0.5, [0.5], [[0.5]]):  # one time goes the way of many
        assert as_schedule("temperature", function)(single).tolist() == np.full(np.shape(single), values[0, 0]).tolist()
    assert as_schedule("temperature", function)([]).shape == (0,)


def test_a_function_may_not_change_the_times_of_others():
    def spoils(times):
        times += 1
        return times

    times = np.array([0.0, 1.0])
    assert as_schedule("temperature", spoils)(times).tolist() == [1.0, 2.0]
    assert times.tolist() == [0.0, 1.0]


def test_a_function_is_told_by_name_and_source():
    configuration = json.loads(json.dumps(as_schedule("temperature", cooling).configuration()))
    assert configuration["callable"].endswith("test_conversion.cooling") and len(configuration["source_hash"]) == 32
    assert configuration["source_hash"] != as_schedule("temperature", one_at_a_time).configuration()["source_hash"]
    assert as_schedule("temperature", np.exp).configuration()["source_hash"] is None


@pytest.mark.parametrize("alone", [False, True], ids=["array", "number"])
@pytest.mark.parametrize(
    ("slope", "sign", "message"),
    [
        (-0.5, "not negative", "temperature at time 3 must be finite and not negative, got -0.5"),
        (-0.5, "positive", "temperature at time 2 must be positive and finite, got 0.0"),
        (math.inf, "any", "temperature at time 1 must be finite, got"),
        (math.nan, "not negative", "temperature at time 1 must be finite and not negative, got nan"),
    ],
)
def test_values_that_break_the_rule_are_named_with_their_time(slope, sign, message, alone):
    def function(time):
        return float(1 + slope * time) if alone else 1 + slope * time

    schedule = as_schedule("temperature", function, sign)
    with pytest.raises(ValueError, match=message):
        schedule(np.array([1.0, 2.0, 3.0]))


def test_negative_values_of_a_schedule_are_refused_where_they_are_used():
    curve = schedules.Linear(1.0, -1.0, 0, 2)
    assert as_schedule("pull", curve, "any")(2.0) == -1
    assert as_schedule("temperature", curve)([0.0, 1.0]).tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match=r"temperature at time 1\.5 must be finite and not negative, got -0\.5"):
        as_schedule("temperature", curve)([1.0, 1.5, 2.0])


def test_the_errors_of_a_function_are_its_own():
    with pytest.raises(ZeroDivisionError):
        as_schedule("temperature", lambda time: 1 // 0)([1.0])
    for value in (None, "warm"):
        with pytest.raises(ValueError, match="temperature at time 1 must be finite and not negative, got"):
            as_schedule("temperature", lambda time, value=value: value)([1.0])


@pytest.mark.parametrize("value", ["0.1", None, [0.1, 0.2], {}, schedules.Linear, SGD(0.1, 4), 1j])
def test_other_things_are_refused(value):
    with pytest.raises(ValueError, match=r"temperature must be a number, a schedule such as schedules\.Linear"):
        as_schedule("temperature", value)


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, True])
def test_constants_are_checked_at_once(value):
    for given in (value, schedules.Constant(value)) if value == -0.1 else (value,):
        with pytest.raises(ValueError, match="temperature must be finite and not negative, got"):
            as_schedule("temperature", given)


def test_steps_are_given_as_integers():
    table = np.array([0.3, 0.2, 0.1])
    assert evaluate("lr", lambda step: table[step], np.array([2, 0]), "positive", "step").tolist() == [0.1, 0.3]
