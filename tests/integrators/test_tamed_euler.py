"""Tamed Euler: its paths, a quartic from far out, and what it refuses."""

import numpy as np
import pytest
from chains import READINGS, assert_blocks_do_not_matter, assert_paths_equal
from growing_noise import Growing

import sgdphys as sp
from sgdphys.errors import DivergenceWarning
from sgdphys.integrators import Problem, TamedEuler

WELL = sp.landscapes.DoubleWell()
QUARTIC = sp.landscapes.Expression("x**4/4")


@pytest.mark.parametrize("interpretation", READINGS)
@pytest.mark.parametrize("temperature", [0.2, lambda time: 0.1 + 0.3 * time], ids=["constant", "scheduled"])
def test_paths_equal_the_naive_chain(interpretation, temperature):
    noise, dt = Growing(0.5, 0.7, interpretation), 0.05

    def one(x, xi, _following, now, _later):
        force = x**3 - x - READINGS[interpretation] * now * noise.slope(x)
        return x - dt * force / (1 + dt * np.linalg.norm(force)) + np.sqrt(2 * now * dt) * noise.root(x) * xi

    assert_paths_equal(TamedEuler(), WELL, noise, one, [-2.0], temperature=temperature, dt=dt, channels=1)


def test_paths_of_several_coordinates_are_tamed_by_the_length_of_the_gradient(hessian):
    def one(x, xi, _following, now, _later):
        force = hessian @ x
        return x - 0.3 * force / (1 + 0.3 * np.linalg.norm(force)) + np.sqrt(0.6 * now) * xi

    landscape = sp.landscapes.Quadratic(hessian)
    assert_paths_equal(TamedEuler(), landscape, None, one, [9.0, -4.0, 2.0], temperature=0.2, dt=0.3, channels=3)


def test_a_quartic_from_far_out_stays_finite():
    options = {"temperature": 0.1, "dt": 0.1, "n_steps": 300, "n_particles": 1000, "start": 100.0, "save_at": 1}
    end = sp.simulate(QUARTIC, integrator=TamedEuler(), **options)["position"].values
    assert np.all(np.abs(end) < 3)
    with pytest.warns(DivergenceWarning, match="1000 of 1000 particles left for infinity"):
        lost = sp.simulate(QUARTIC, **options)["position"].values
    assert np.all(np.isnan(lost))


def test_bits_do_not_depend_on_blocks():
    assert_blocks_do_not_matter(TamedEuler(), WELL, Growing())


def test_momentum_is_refused():
    with pytest.raises(ValueError, match="TamedEuler knows no momentum"):
        TamedEuler().prepared(Problem(WELL, sp.noises.Isotropic(), sp.SGD(lr=0.1, batch_size=1, momentum=0.5)))
