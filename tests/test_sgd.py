"""SGD settings: temperatures, sampling factors, equivalent settings, refusals."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from sgdphys import SGD


def test_temperature_is_lr_over_twice_the_batch_size():
    assert SGD(lr=0.1, batch_size=4).temperature == 0.0125
    assert SGD(lr=0.1, batch_size=4).temperature != 0.1 / 4


def test_effective_values_with_momentum():
    sgd = SGD(lr=0.1, batch_size=4, momentum=0.9)
    assert sgd.temperature == 0.0125
    assert sgd.effective_temperature == pytest.approx(0.125)
    assert sgd.effective_lr == pytest.approx(1.0)


def torch_step(sgd, curvature, position, velocity, noise):
    """One step after the first on the parabola of this curvature, written from torch's documentation."""
    gradient = curvature * position + noise
    if sgd.momentum == 0:
        return position - sgd.lr * gradient, gradient
    velocity = sgd.momentum * velocity + (1 - sgd.dampening) * gradient
    direction = gradient + sgd.momentum * velocity if sgd.nesterov else velocity
    return position - sgd.lr * direction, velocity


def stationary_state(sgd, curvature, batch_variance):
    """Return the stationary variance of the position and the slowest eigenvalue, of the exact linear map."""
    step = np.array([torch_step(sgd, curvature, *unit) for unit in np.eye(3)]).T
    move, kick = step[:, :2], step[:, 2]
    kicks = batch_variance * np.outer(kick, kick).ravel()
    covariance = np.linalg.solve(np.eye(4) - np.kron(move, move), kicks)
    return covariance[0], np.abs(np.linalg.eigvals(move)).max()


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"momentum": 0.8},
        {"momentum": 0.8, "nesterov": True},
        {"momentum": 0.8, "dampening": 0.5},
        {"momentum": 0.3, "dampening": 0.8},
    ],
)
def test_effective_values_are_the_limit_of_the_discrete_map(form):
    """At lr h = 1e-3 and 1e-4 the errors are small and fall by ten; without 1 - dampening one half would stay."""
    errors = []
    for lr in (1e-3, 1e-4):
        sgd = SGD(lr=lr, batch_size=4, n_samples=10, sampling="without", **form)
        variance, slowest = stationary_state(sgd, 1.0, 3.0 * sgd.sampling_factor / 4)
        errors.append((variance / (3.0 * sgd.effective_temperature) - 1, -math.log(slowest) / sgd.effective_lr - 1))
    errors = np.abs(errors)
    assert np.all(errors[0] < 0.05)
    np.testing.assert_allclose(errors[0] / errors[1], 10, rtol=0.1)


def test_effective_values_with_dampening():
    sgd = SGD(lr=0.1, batch_size=4, momentum=0.9, dampening=0.5)
    assert sgd.effective_lr == pytest.approx(0.5)
    assert sgd.effective_temperature == pytest.approx(0.0625)
    assert SGD(0.1, 4, momentum=0.9, nesterov=True).effective_lr == pytest.approx(1.0)


def test_sampling_factor_is_the_variance_of_the_mean_of_distinct_samples():
    """Exhaustively, for N = 6: the covariance over all subsets, over that of independent draws, is (N-B)/(N-1)."""
    values = np.array([1.0, -2.0, 0.5, 3.0, 0.0, -1.5])
    for batch in range(1, 7):
        means = [np.mean(subset) for subset in itertools.combinations(values, batch)]
        factor = np.var(means) / (np.var(values) / batch)
        sgd = SGD(lr=0.1, batch_size=batch, n_samples=6, sampling="without")
        assert sgd.sampling_factor == pytest.approx(factor, abs=1e-14)
        assert sgd.effective_temperature == pytest.approx(factor * 0.1 / (2 * batch), abs=1e-16)
        assert batch in {1, 6} or abs(factor - (1 - batch / 6)) > 0.03  # the other texts' 1 - B/N


def test_the_whole_data_set_has_no_temperature_and_one_sample_no_correction():
    assert SGD(lr=0.1, batch_size=20, n_samples=20, sampling="without").effective_temperature == 0.0
    assert SGD(lr=0.1, batch_size=1, n_samples=20, sampling="without").sampling_factor == 1.0
    assert SGD(lr=0.1, batch_size=1, n_samples=1, sampling="without").sampling_factor == 0.0
    assert SGD(lr=0.1, batch_size=20, n_samples=20).sampling_factor == 1.0


@pytest.mark.parametrize(
    "sgd",
    [
        SGD(lr=0.1, batch_size=4),
        SGD(lr=0.1, batch_size=4, momentum=0.9, weight_decay=0.01),
        SGD(lr=0.1, batch_size=4, momentum=0.9, nesterov=True),
        SGD(lr=0.1, batch_size=4, momentum=0.9, dampening=0.5),
        SGD(lr=0.1, batch_size=4, n_samples=10),
        SGD(lr=0.1, batch_size=4, n_samples=10, sampling="without"),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_equivalent_settings_have_the_same_temperature(sgd, batch_size):
    other = sgd.equivalent(batch_size=batch_size)
    assert other.batch_size == batch_size
    assert other.effective_temperature == pytest.approx(sgd.effective_temperature, rel=1e-14)
    assert replace(other, lr=sgd.lr, batch_size=sgd.batch_size) == sgd
    assert other.equivalent(lr=sgd.lr).batch_size == sgd.batch_size
    assert sgd.equivalent(lr=other.lr).batch_size == batch_size


def test_the_linear_scaling_rule_holds_with_replacement_only():
    assert SGD(lr=0.1, batch_size=4).equivalent(batch_size=8).lr == pytest.approx(0.2)
    without = SGD(lr=0.1, batch_size=4, n_samples=10, sampling="without").equivalent(batch_size=8)
    assert without.lr == pytest.approx(0.2 * (6 / 9) / (2 / 9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "exactly one of batch_size= and lr="),
        ({"batch_size": 2, "lr": 0.1}, "exactly one"),
        (
            {"lr": 0.07},
            "needs batch_size=2.8 for the same temperature, not a whole number; batch_size=3 has it at lr=0.075",
        ),
        ({"lr": 0.01}, "batch_size=0.4"),
        ({"batch_size": 2.5}, "batch_size must be a positive integer, got 2.5"),
        ({"batch_size": 0}, "batch_size must be a positive integer, got 0"),
        ({"lr": -1.0}, "lr must be positive"),
    ],
)
def test_equivalents_that_do_not_exist_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SGD(lr=0.1, batch_size=4).equivalent(**change)


def test_equivalents_of_zero_temperature_are_refused():
    whole = SGD(lr=0.1, batch_size=10, n_samples=10, sampling="without")
    for change in ({"batch_size": 5}, {"lr": 0.2}):
        with pytest.raises(ValueError, match="the temperature is 0 at any lr"):
            whole.equivalent(**change)
    with pytest.raises(ValueError, match="batch_size=10 is the whole data set"):
        SGD(lr=0.1, batch_size=5, n_samples=10, sampling="without").equivalent(batch_size=10)
    with pytest.raises(ValueError, match="batch_size must not exceed n_samples, got 11 > 10"):
        SGD(lr=0.1, batch_size=5, n_samples=10).equivalent(batch_size=11)


@pytest.mark.parametrize("ask", ["sampling_factor", "effective_temperature", "equivalent"])
def test_shuffling_has_no_effective_temperature(ask):
    sgd = SGD(lr=0.1, batch_size=5, n_samples=10, sampling="shuffle")
    assert sgd.temperature == 0.01
    assert sgd.effective_lr == 0.1
    with pytest.raises(ValueError, match="'shuffle' has no effective temperature"):
        sgd.equivalent(batch_size=2) if ask == "equivalent" else getattr(sgd, ask)


def test_without_replacement_needs_the_size_of_the_data_set():
    with pytest.raises(ValueError, match="give n_samples="):
        _ = SGD(lr=0.1, batch_size=5, sampling="without").effective_temperature


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0.0}, "lr must be positive and finite, got 0"),
        ({"lr": math.nan}, "lr must be positive and finite, got nan"),
        ({"lr": math.inf}, "got inf"),
        ({"batch_size": 0}, "batch_size must be a positive integer, got 0"),
        ({"batch_size": 1.5}, "got 1.5"),
        ({"batch_size": math.nan}, "got nan"),
        ({"batch_size": math.inf}, "got inf"),
        ({"batch_size": True}, "got True"),
        ({"batch_size": "8"}, "got 8"),
        ({"batch_size": 10**400}, "batch_size must be finite"),
        ({"lr": "a"}, "lr must be positive and finite, got a"),
        ({"lr": True}, "lr must be positive and finite, got True"),
        ({"lr": 10**400}, "lr must be positive and finite, got 1000"),
        ({"momentum": "a"}, "momentum must be finite, got a"),
        ({"momentum": None}, "momentum must be finite, got None"),
        ({"weight_decay": []}, r"weight_decay must be finite and not negative, got \[\]"),
        ({"sampling": []}, r"sampling must be one of replacement, without, shuffle, got \[\]"),
        ({"momentum": 1.0}, r"momentum must lie in \[0, 1\), got 1"),
        ({"momentum": -0.1}, "got -0.1"),
        ({"momentum": math.nan}, "got nan"),
        ({"weight_decay": -1e-3}, "weight_decay must be finite and not negative"),
        ({"weight_decay": math.inf}, "weight_decay must be finite"),
        ({"sampling": "random"}, "sampling must be one of replacement, without, shuffle, got 'random'"),
        ({"momentum": 0.5, "nesterov": 1}, "nesterov must be True or False, got 1"),
        ({"nesterov": True}, "nesterov is a form of momentum, got momentum=0; give momentum > 0 or leave nesterov out"),
        ({"dampening": 0.1}, "dampening is a form of momentum, got momentum=0"),
        ({"momentum": 0.5, "dampening": 1.0}, r"dampening must lie in \[0, 1\), got 1"),
        ({"momentum": 0.5, "dampening": -0.1}, "got -0.1"),
        ({"momentum": 0.5, "dampening": math.nan}, "dampening must be finite, got nan"),
        ({"momentum": 0.5, "dampening": 0.1, "nesterov": True}, "nesterov needs dampening=0, got 0.1"),
        ({"n_samples": 0}, "n_samples must be a positive integer, got 0"),
        ({"n_samples": 2}, "batch_size must not exceed n_samples, got 4 > 2; use batch_size=2 at most"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        SGD(**{"lr": 0.1, "batch_size": 4, **change})


def test_whole_numbers_of_any_kind_become_int():
    sgd = SGD(lr=0.1, batch_size=np.int64(4), n_samples=8.0)
    assert type(sgd.batch_size) is int
    assert type(sgd.n_samples) is int
    assert hash(sgd) == hash(SGD(lr=0.1, batch_size=4, n_samples=8))
    assert type(SGD(0.1, 4, momentum=0.5, nesterov=np.True_).nesterov) is bool
