"""A run's own loss is taken for its potential only where the noise allows it."""

import warnings

import numpy as np
import pytest

import sgdphys as sp
from sgdphys.analysis import free_energy
from sgdphys.noises import Diagonal, Full, Isotropic, LowRank

BOWL = sp.landscapes.Quadratic(np.diag([1.0, 4.0]))
OTHER = sp.landscapes.Quadratic(np.diag([1.0, 2.0]))  # -T log p_ss for D = diag(1, 2)
GRID = sp.Grid([(-3, 3, 30), (-3, 3, 30)])


def cloud(noise):
    return sp.simulate(BOWL, noise, temperature=0.1, dt=0.1, n_steps=5, n_particles=50, start=0.5, save_at=[0.5])


@pytest.mark.parametrize("noise", [Diagonal([1.0, 2.0]), Full([[1.0, 0.5], [0.5, 1.0]]), LowRank([[1.0], [1.0]])])
def test_the_loss_is_no_potential_for_noise_with_directions(noise):
    with pytest.warns(UserWarning, match="not D = c I.*give the stationary density") as told:
        free_energy(cloud(noise), BOWL, temperature=0.1)
    assert len(told) == 1 and "\n" not in str(told[0].message)
    assert told[0].filename == __file__


def test_a_scale_belongs_into_the_temperature():
    for noise in (Isotropic(2.0), Diagonal([2.0, 2.0]), Full(2 * np.eye(2))):
        with pytest.warns(UserWarning, match=r"temperature=T\*c = 0.2, not at T = 0.1"):
            free_energy(cloud(noise), BOWL, temperature=0.1)


def test_nothing_is_said_where_nothing_is_wrong():
    diagonal = Diagonal([1.0, 2.0])
    density = sp.fokker_planck.stationary(BOWL, diagonal, temperature=0.1, grid=GRID)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        free_energy(cloud(None), BOWL, temperature=0.1)
        free_energy(cloud(Isotropic(2.0)), BOWL, temperature=0.2)
        free_energy(cloud(diagonal), OTHER, temperature=0.1)
        free_energy(cloud(diagonal), OTHER.potential, temperature=0.1)
        free_energy(cloud(diagonal), density, temperature=0.1)
        free_energy(cloud(diagonal).drop_attrs(), BOWL, temperature=0.1)


TURNING = sp.landscapes.Field(sp.landscapes.Quadratic(np.eye(2)), [[0.0, -2.0], [2.0, 0.0]])  # keeps exp(-f/T)
OFF_CENTRE = sp.landscapes.Field(BOWL, [[0.0, -2.0], [2.0, 0.0]])
EXAMPLE = sp.landscapes.ChaudhariSoatto(1.5)  # keeps exp(-f/T) at T = 1 alone


def turned(landscape):
    options = {"temperature": 1.0, "dt": 0.1, "n_steps": 5, "n_particles": 50, "start": 0.5, "save_at": [0.5]}
    return sp.simulate(landscape, **options)


@pytest.mark.parametrize("landscape", [OFF_CENTRE, 2.0 * EXAMPLE, EXAMPLE + sp.landscapes.Linear([1.0, 0.0])])
def test_the_loss_is_no_potential_where_a_circulation_changes_the_state(landscape):
    own = turned(landscape)
    with pytest.warns(UserWarning, match="circulating part.* not its potential .* at T = 1, .*give the stationary"):
        free_energy(own, landscape, temperature=1.0)


def test_the_gradient_part_is_that_of_the_run():
    with pytest.warns(UserWarning, match="circulating part"):
        free_energy(turned(OFF_CENTRE), BOWL, temperature=1.0)
    with pytest.warns(UserWarning, match="circulating part"):
        free_energy(turned(EXAMPLE), EXAMPLE, temperature=2.0)


def test_a_circulation_that_keeps_the_state_is_passed_over():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for landscape in (TURNING, EXAMPLE):
            free_energy(turned(landscape), landscape, temperature=1.0)
        free_energy(turned(TURNING), TURNING.base, temperature=1.0)


def test_densities_are_looked_at_too():
    density = sp.fokker_planck.stationary(BOWL, Diagonal([1.0, 2.0]), temperature=0.1, grid=GRID)
    with pytest.warns(UserWarning, match="not D = c I"):
        free_energy(density, BOWL, temperature=0.1)


def test_what_is_no_dataset_is_refused_by_its_name():
    own = cloud(None)
    with pytest.raises(ValueError, match=r"an analysis takes a Dataset .* got ndarray"):
        sp.analysis.relative_entropy(own, np.zeros(3))
    with pytest.raises(ValueError, match="reference must be a number or a stationary density, got ndarray"):
        free_energy(own, BOWL, temperature=0.1, reference=np.zeros(3))
    with pytest.raises(ValueError, match="temperature must be positive and finite, got hot"):
        free_energy(own, BOWL, temperature="hot")
