"""Steps on given deviates are the engine's own."""

import naive
import numpy as np
import pytest

import sgdphys as sp
from sgdphys.integrators import SRA1, EulerMaruyama, LeimkuhlerMatthews, StochasticGradient, VarianceAmplifiedGradient
from sgdphys.kernels.philox import key_of
from sgdphys.noises import Full
from sgdphys.testing.stepping import needs_sgd, stepper

NOISE = Full([[1.0, 0.4], [0.4, 0.5]])
LANDSCAPE = sp.landscapes.Expression("x**4/4 + x*y + y**2")


@pytest.mark.parametrize("scheme", [EulerMaruyama(), SRA1(), LeimkuhlerMatthews()], ids=lambda part: part.name)
def test_given_the_engines_deviates_paths_are_the_engines(scheme):
    """Seven steps of 300 particles, more than a block; the naive normals agree with the engine's to float32."""
    steps, n, options = 7, 300, {"temperature": 0.3, "dt": 0.1}
    cloud = sp.simulate(
        LANDSCAPE, NOISE, **options, integrator=scheme, n_steps=steps, n_particles=n, start=0.4, seed=5, save_at=1
    )
    particles, channels = (0, 63, 299), 2 * scheme.deviates_per_channel
    deviates = [
        [naive.normals(key_of(5), particle, step, channels) for particle in particles]
        for step in range(steps + scheme.ahead)
    ]
    normals = np.zeros((steps + scheme.ahead, channels, n))
    normals[:, :, particles] = np.array(deviates).transpose(0, 2, 1)
    end = stepper(scheme, LANDSCAPE, NOISE, **options).advance(np.full((2, n), 0.4), normals)
    assert end.shape == (2, n)
    np.testing.assert_allclose(end[:, particles].T, cloud["position"].values[0, particles], rtol=0, atol=3e-6)


def test_maps_of_sgd_get_learning_rate_and_batch_size():
    fitted = stepper(VarianceAmplifiedGradient(substeps=4), LANDSCAPE, NOISE, temperature=1 / 64, dt=1 / 32)
    assert fitted.dynamics.sgd.lr == 1 / 8
    assert fitted.dynamics.sgd.batch_size == 4
    assert fitted.dynamics.dt == 1 / 32
    assert needs_sgd(StochasticGradient()) and not needs_sgd(EulerMaruyama())
