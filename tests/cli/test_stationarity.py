"""Rows of a sweep that have not reached the Gibbs state are marked, others are not."""

import numpy as np

import sgdphys as sp
from sgdphys.cli.stationarity import not_stationary, notes
from sgdphys.landscapes import DoubleWell, Expression

SIZE = {"dt": 0.02, "n_particles": 4000}


def test_only_a_cloud_that_is_kept_in_one_well_is_marked():
    sweep = sp.sweep(DoubleWell(), temperatures=[0.05, 2.0], t1=20, start=1.0, **SIZE)
    assert not_stationary(sweep).tolist() == [True, False]
    assert notes(sweep)[0].startswith("* not stationary")


def test_a_relaxed_cloud_is_not_marked_and_one_too_wide_is():
    sweep = sp.sweep(Expression("x**2/2"), temperatures=[0.1, 0.4], seeds=[0, 1], t1=20, start=0.0, **SIZE)
    assert not not_stationary(sweep).any()
    assert notes(sweep) == []
    early = sp.sweep(Expression("x**2/2"), temperatures=[0.1], t1=0.2, start=0.0, **SIZE)
    assert not_stationary(early).all()


def test_without_exact_values_it_says_why():
    sweep = sp.sweep(Expression("-x**2/2"), temperatures=[0.1], t1=1, start=0.0, **SIZE)
    assert not not_stationary(sweep).any()
    assert "not confining" in notes(sweep)[0]
    many = sp.sweep(Expression("x**2 + y**2 + z**2"), temperatures=[0.1], t1=1, start=0.0, **SIZE)
    assert "this loss has 3" in notes(many)[0]
    assert np.isnan(many["stationary_entropy"]).all()
