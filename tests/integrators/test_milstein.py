"""Milstein: its paths, the second moment of geometric Brownian motion in steps, and what it refuses."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_same_bits, assert_within
from chains import READINGS, Coupled, Dense, assert_blocks_do_not_matter, assert_paths_equal, second_moment
from growing_noise import Growing

import sgdphys as sp
from sgdphys.integrators import Milstein, Problem


class Unknown(Growing):
    has_divergence = False


WELL = sp.landscapes.DoubleWell()
FLAT = sp.landscapes.Quadratic(0.0)


def step(gradient, noise, dt):
    def one(x, xi, _following, temperature, _next):
        drift = gradient(x) - READINGS[noise.interpretation] * temperature * noise.slope(x)
        correction = 0.5 * temperature * dt * noise.slope(x) * (xi**2 - 1)
        return x - dt * drift + np.sqrt(2 * temperature * dt) * noise.root(x) * xi + correction

    return one


@pytest.mark.parametrize("interpretation", READINGS)
@pytest.mark.parametrize("temperature", [0.2, lambda time: 0.1 + 0.3 * time], ids=["constant", "scheduled"])
def test_paths_equal_the_naive_chain(interpretation, temperature):
    noise = Growing(0.5, 0.7, interpretation)
    one = step(lambda x: x**3 - x, noise, 0.05)
    assert_paths_equal(Milstein(), WELL, noise, one, [-1.0], temperature=temperature, dt=0.05, channels=1)


def test_paths_of_several_coordinates_equal_the_naive_chain(hessian):
    noise = Growing(0.5, 0.7)
    one = step(lambda x: hessian @ x, noise, 0.05)
    landscape = sp.landscapes.Quadratic(hessian)
    assert_paths_equal(Milstein(), landscape, noise, one, [1.0, -1.0, 0.5], temperature=0.2, dt=0.05, channels=3)


def test_second_moment_of_geometric_brownian_motion_is_that_of_the_chain():
    """1 + 2 T dt + 2 (T dt)^2 a step; Euler-Maruyama has 1 + 2 T dt."""
    kick = 2 * 0.5 * 0.25
    options = {"temperature": 0.5, "dt": 0.25, "steps": 2, "n": 1_000_000, "start": 1.0}
    square, error = second_moment(Milstein(), FLAT, Growing(0.0, 1.0), **options)
    assert_within(square, (1 + kick + kick**2 / 2) ** 2, error)
    assert_excluded(square, (1 + kick) ** 2, error)


def test_for_constant_diffusion_it_is_euler_maruyama():
    options = {"temperature": 0.1, "dt": 0.1, "n_steps": 10, "n_particles": 100, "seed": 2}
    assert_same_bits(
        sp.simulate(WELL, integrator=Milstein(), **options)["position"].values, sp.simulate(WELL, **options)["position"]
    )


def test_bits_do_not_depend_on_blocks():
    assert_blocks_do_not_matter(Milstein(), WELL, Growing())


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (Coupled(), "Milstein needs a D_ii that depends on x_i alone, and that of Coupled"),
        (Dense(), "Milstein needs noise of constant or diagonal diffusion, and D of Dense"),
        (Unknown(), "Milstein needs the derivative of D, and Unknown has no kernel of it"),
    ],
)
def test_other_noise_is_refused(noise, message):
    with pytest.raises(ValueError, match=message):
        Milstein().prepared(Problem(sp.landscapes.Quadratic(np.eye(2)), noise, None))


def test_shuffled_minibatches_are_refused():
    sgd = sp.SGD(lr=0.1, batch_size=2, n_samples=4, sampling="shuffle")
    with pytest.raises(ValueError, match="shuffle"):
        Milstein().prepared(Problem(FLAT, sp.noises.Isotropic(), sgd))
