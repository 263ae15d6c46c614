"""Temperatures and protocols in time: values, ends, refusals."""

import json
import math

import numpy as np
import pytest

from sgdphys import schedules

CURVES = [
    schedules.Constant(0.3),
    schedules.Linear(0.4, 0.1, begin=2.0, end=5.0),
    schedules.Exponential(0.4, 0.1, begin=2.0, end=5.0),
    schedules.Cosine(0.4, 0.1, begin=2.0, end=5.0),
    schedules.Cyclic(0.1, 0.4, period=3.0),
    schedules.Cyclic(0.1, 0.4, period=3.0, shape="sine"),
    schedules.Cyclic(0.1, 0.4, period=3.0, shape="square"),
    schedules.Steps([0.0, 2.0, 5.0], [0.4, 0.2, 0.1]),
]
PASSAGES = (schedules.Linear, schedules.Exponential, schedules.Cosine)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: type(curve).__name__)
def test_a_value_belongs_to_its_time_alone(curve):
    """The same bits for one time, a row or a table of times: a run cut in two sees the same temperatures."""
    times = np.linspace(-1.0, 9.0, 1001).reshape(7, 143)
    values = curve(times)
    assert values.shape == times.shape and values.dtype == np.float64
    assert [float(curve(time)) for time in times.ravel()] == values.ravel().tolist()
    assert np.array_equal(curve(times[:, ::3]), values[:, ::3])
    assert curve(3.0).shape == () and curve([]).shape == (0,)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: type(curve).__name__)
def test_a_configuration_makes_the_same_curve_again(curve):
    configuration = json.loads(json.dumps(curve.configuration()))
    again = getattr(schedules, configuration.pop("schedule"))(**configuration)
    assert again == curve and hash(again) == hash(curve)


@pytest.mark.parametrize("kind", PASSAGES)
def test_passages_are_constant_outside_and_exact_at_the_ends(kind):
    curve = kind(0.4, 0.1, begin=2.0, end=5.0)
    assert curve([-7.0, 2.0, -math.inf]).tolist() == [0.4] * 3
    assert curve([5.0, 99.0, math.inf]).tolist() == [0.1] * 3
    assert np.all(np.diff(curve(np.linspace(2, 5, 50))) < 0)
    assert np.isnan(curve(math.nan))


def test_passages_have_their_shapes():
    assert schedules.Linear(0.4, 0.1, 2, 5)(3.0) == pytest.approx(0.3)
    times = np.linspace(2, 5, 7)
    rates = np.diff(np.log(schedules.Exponential(0.4, 0.1, 2, 5)(times))) / np.diff(times)
    np.testing.assert_allclose(rates, math.log(0.25) / 3, rtol=1e-13)
    cosine = schedules.Cosine(0.4, 0.1, 2, 5)
    assert cosine(3.5) == pytest.approx(0.25) and cosine(3.0) == pytest.approx(0.25 + 0.15 * math.cos(math.pi / 3))
    assert abs(cosine(2.001) - 0.4) < 1e-6  # it leaves with slope zero; a straight line would be at .3999


def test_a_jump_at_time_zero_has_happened_there():
    assert schedules.Steps([-1.0, 0.0], [0.4, 0.2])([-1e-9, 0.0]).tolist() == [0.4, 0.2]


def test_cycles_start_low_and_repeat():
    phases = np.array([0.0, 0.25, 0.5, 0.75])
    expected = {"triangle": [1, 2, 3, 2], "sine": [1, 2, 3, 2], "square": [1, 1, 3, 3]}
    for shape, values in expected.items():
        curve = schedules.Cyclic(1.0, 3.0, period=0.8, shape=shape)
        for cycle in (0, 1, 5, -2):
            np.testing.assert_allclose(curve((phases + cycle) * 0.8), values, rtol=0, atol=1e-12)
        assert np.isnan(curve([math.nan, math.inf])).all()
    assert schedules.Cyclic(1, 3, 0.8, "sine")(0.1) == pytest.approx(2 - math.cos(2 * math.pi / 8))
    assert schedules.Cyclic(1, 3, 0.8)(0.1) == pytest.approx(1.5)


def test_steps_jump_at_their_times():
    curve = schedules.Steps([0.0, 2.0, 5.0], [0.4, 0.2, 0.1])
    assert curve([-3.0, 0.0, 1.99, 2.0, 4.99, 5.0, math.inf]).tolist() == [0.4, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1]
    assert np.isnan(curve(math.nan))


def test_a_step_whose_time_is_a_jump_up_to_rounding_lies_at_the_jump():
    assert 0.29 * 100 < 29  # the time of step 100 falls short of 29 in its last bit
    assert schedules.Steps([0.0, 29.0], [1.0, 2.0])(0.29 * 100) == 2.0
    assert schedules.Cyclic(1.0, 2.0, period=58.0, shape="square")(0.29 * 100) == 2.0
    assert schedules.Steps([0.0, 29.0], [1.0, 2.0])(0.29 * 99) == 1.0


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (schedules.Constant, (math.nan,), "value must be finite, got nan"),
        (schedules.Linear, ("a", 1, 0, 1), "first must be finite, got a"),
        (schedules.Linear, (1, math.inf, 0, 1), "last must be finite, got inf"),
        (schedules.Linear, (1, 2, 3, 3), "end must lie after begin, got begin=3.0 and end=3.0; Steps can jump"),
        (schedules.Cosine, (1, 2, 3, 1), "end must lie after begin"),
        (schedules.Exponential, (1, 0, 0, 1), "last of an exponential must be positive and finite, got 0"),
        (schedules.Exponential, (-1, 1, 0, 1), "first of an exponential must be positive"),
        (schedules.Cyclic, (2, 1, 1), "high must not be below low, got low=2.0 and high=1.0"),
        (schedules.Cyclic, (1, 2, 0), "period must be positive and finite, got 0"),
        (schedules.Cyclic, (1, 2, 1, "saw"), "shape must be one of triangle, sine, square, got 'saw'"),
        (schedules.Steps, (1, 2), "times must be a list of numbers, got 1"),
        (schedules.Steps, ([0, 1], [1]), "give as many values as times, got 1 and 2"),
        (schedules.Steps, ([], []), "give as many values as times, got 0 and 0"),
        (schedules.Steps, ([0, 0], [1, 2]), r"times must rise, got \[0.0, 0.0\]"),
        (schedules.Steps, ([0, math.nan], [1, 2]), "times must be finite, got nan"),
        (schedules.Steps, ([0, 1], [1, "b"]), "values must be finite, got b"),
    ],
)
def test_refusals(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(*arguments)
