"""Clouds that an earlier run left, and what may go on from them."""

import dataclasses

import numpy as np
import pytest
from asserts import assert_same_bits

import sgdphys as sp
from sgdphys.integrators import BAOAB, OBABO

BOWL = sp.landscapes.Quadratic(1.0)
SUM = sp.landscapes.LeastSquares(np.random.default_rng(7).normal(size=(10, 2)), np.arange(10.0))
HEAVY = {"noise": sp.noises.Isotropic(1.0), "sgd": sp.SGD(lr=0.1, batch_size=1, momentum=0.9)}
LANGEVIN = {"temperature": 0.1, "dt": 0.1, "integrator": BAOAB()}
SHUFFLED = sp.SGD(lr=0.01, batch_size=2, sampling="shuffle")


def few(landscape, noise=None, **options):
    return sp.simulate(landscape, noise, **{"n_steps": 7, "n_particles": 4, "start": 0.1, **options})


def go_on(landscape, cloud, **options):
    return few(landscape, **options, start=cloud, n_particles=None)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (HEAVY, LANGEVIN, "the cloud's velocity is the sum of gradients of SGD with momentum, this run needs dx/dt of"),
        (LANGEVIN, HEAVY, "the cloud's velocity is dx/dt of underdamped motion, this run needs the sum of gradients"),
    ],
)
def test_velocities_of_two_meanings_are_not_mixed(first, second, message):
    """With the wrong velocity the first steps of the second run would go the wrong way."""
    cloud = few(BOWL, **first)
    with pytest.raises(ValueError, match=message):
        go_on(BOWL, cloud, **second)
    assert go_on(BOWL, cloud, temperature=0.1, dt=0.1).sizes["particle"] == 4  # overdamped motion needs none
    alone = few(BOWL, **{**second, "start": cloud["position"].values[-1]})
    assert_same_bits(alone["position"].values[0], cloud["position"].values[-1])


def test_velocities_of_one_meaning_are_handed_over():
    cloud = few(BOWL, **LANGEVIN)
    again = go_on(BOWL, cloud, **{**LANGEVIN, "integrator": OBABO(friction=2.0), "temperature": 0.3})
    assert_same_bits(again["velocity"].values[0], cloud["velocity"].values[-1])


def test_a_cloud_without_configuration_is_taken_at_its_word():
    cloud = few(BOWL, **HEAVY).drop_attrs()
    assert go_on(BOWL, cloud, **LANGEVIN).sizes["particle"] == 4


def test_a_shuffled_order_goes_on_only_where_it_stopped():
    """Step 7 of batches of 2 is at sample 4 of epoch 1; read with batches of 5 it would be in epoch 3."""
    cloud = few(SUM, sgd=SHUFFLED)
    other = dataclasses.replace(SHUFFLED, batch_size=5)
    message = r"stopped at sample 4 of epoch 1, step 7 of this run is at sample 5 of epoch 3.*one schedules.SGDSchedule"
    with pytest.raises(ValueError, match=message):
        go_on(SUM, cloud, sgd=other)
    with pytest.raises(ValueError, match=r"one schedules\.SGDSchedule"):
        go_on(SUM, cloud, sgd=sp.SGDSchedule([(other, 30)]), n_steps=None)
    both = sp.SGDSchedule([(SHUFFLED, 7), (other, 5)])
    whole = few(SUM, sgd=both, n_steps=None)
    rest = go_on(SUM, cloud, sgd=both, n_steps=None)
    assert_same_bits(rest["position"].values, whole["position"].values[7:])
    assert rest["epoch"].values.tolist() == whole["epoch"].values[7:].tolist()


def test_independent_draws_have_no_order_to_go_on_with():
    """What was drawn with replacement before leaves every order open."""
    cloud = few(SUM, sgd=dataclasses.replace(SHUFFLED, sampling="replacement"))
    assert go_on(SUM, cloud, sgd=dataclasses.replace(SHUFFLED, batch_size=5))["step"][0] == 7
