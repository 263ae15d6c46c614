"""Partition sums of quadratic energies, told by the configuration or given, and temperatures of every kind of run."""

import numpy as np
import pytest
from asserts import assert_within

import sgdphys as sp
from sgdphys.analysis import hatano_sasa
from sgdphys.analysis.temperatures_of_run import steps_and_temperatures
from sgdphys.landscapes import Quadratic
from sgdphys.observers import Work

COOLING = sp.schedules.Exponential(1.0, 0.5, 0.0, 0.5)


def cooled(landscape, n=2000, energy="loss", temperature=COOLING):
    start = np.random.default_rng(2).normal(size=(n, landscape.dim)) / np.sqrt(landscape.matrix[0, 0])
    return sp.simulate(
        landscape, temperature=temperature, dt=0.05, t1=0.5, start=start, save_at=0, observers=[Work(energy)]
    )


def test_the_constant_and_the_dimension_enter():
    """e^(-c/T) (T_1/T_0)^(d/2) with c = .2, d = 2, with and without the observer's energy."""
    bowl = Quadratic(2 * np.eye(2), 0.2)
    run = cooled(bowl)
    exact = 0.5 * np.exp(-0.2 * (1 / 0.5 - 1))
    for energy in (None, bowl):
        assert float(hatano_sasa(run, energy=energy)["partition_ratio"]) == pytest.approx(exact, rel=1e-12)
    given = cooled(bowl, energy=Quadratic(np.eye(2), 0.1))
    with pytest.warns(UserWarning, match="is not the potential"):
        ratio = hatano_sasa(given)["partition_ratio"]
    assert float(ratio) == pytest.approx(0.5 * np.exp(-0.1), rel=1e-12)


def test_a_matrix_that_the_configuration_does_not_hold():
    """Seven coordinates are written as a hash, forty as a variable; the ratio of temperatures is all that matters."""
    slight = sp.schedules.Linear(1.0, 0.96, 0.0, 0.5)
    for dim, energy in ((7, "loss"), (40, Quadratic(np.eye(40)))):
        run = cooled(Quadratic(np.eye(dim)), energy=energy, temperature=slight)
        assert float(hatano_sasa(run)["partition_ratio"]) == pytest.approx(0.96 ** (dim / 2), rel=1e-9)
    loss = cooled(Quadratic(np.eye(40)), temperature=slight)
    with pytest.raises(ValueError, match="does not hold the matrix"):
        hatano_sasa(loss)
    assert float(hatano_sasa(loss, energy=energy)["partition_ratio"]) == pytest.approx(0.96**20, rel=1e-9)


def test_velocities_have_a_partition_sum_too():
    """Underdamped cooling from T = 1 to .5 in one dimension: (T_1/T_0)^(1/2) twice."""
    rng, n = np.random.default_rng(5), 40_000
    run = sp.simulate(
        Quadratic(1.0), temperature=COOLING, dt=0.05, t1=0.5, save_at=0, observers=[Work()],
        integrator=sp.integrators.BAOAB(), start=thermal(rng, n),
    )  # fmt: skip
    result = hatano_sasa(run)
    assert float(result["partition_ratio"]) == pytest.approx(0.5, rel=1e-12)
    assert_within(result["hatano_sasa_average"], 1.0, result["hatano_sasa_average_standard_error"])


def thermal(rng, n):
    """Return a cloud at T = 1 that has come to rest in position and velocity."""
    cloud = sp.simulate(
        Quadratic(1.0), temperature=1.0, dt=0.05, n_steps=1, n_particles=n, save_at=1, start=0.0,
        integrator=sp.integrators.BAOAB(),
    )  # fmt: skip
    cloud["position"].values[...] = rng.normal(size=cloud["position"].shape)
    cloud["velocity"].values[...] = rng.normal(size=cloud["velocity"].shape)
    return cloud.assign_coords(time=[0.0], step=("time", [0]))


def test_temperatures_of_every_kind_of_run():
    one, options = Quadratic(1.0), {"n_particles": 200, "start": 0.3, "save_at": 1}
    curve = sp.simulate(one, temperature=COOLING, dt=0.1, n_steps=3, **options)
    steps, temperatures = steps_and_temperatures(curve)
    np.testing.assert_allclose(temperatures, COOLING(0.1 * np.arange(4)), rtol=1e-12)
    later = sp.simulate(one, temperature=COOLING, dt=0.1, n_steps=2, save_at=1, start=curve)
    steps, temperatures = steps_and_temperatures(later)
    assert steps.tolist() == [3, 4, 5]
    np.testing.assert_allclose(temperatures, COOLING([0.3, 0.4, 0.5]), rtol=1e-12)
    constant = sp.simulate(one, temperature=0.3, dt=0.1, n_steps=2, **options)
    assert steps_and_temperatures(constant)[1].tolist() == [0.3] * 3
    schedule = sp.SGDSchedule([(sp.SGD(lr=0.1, batch_size=b, n_samples=9, sampling="without"), 2) for b in (1, 5)])
    staged = sp.simulate(one, sp.noises.Isotropic(1.0), sgd=schedule, **options)
    np.testing.assert_allclose(steps_and_temperatures(staged)[1], [0.05, 0.05, 0.005, 0.005, 0.005], rtol=1e-12)
    own = sp.simulate(one, temperature=lambda t: 1.0 - 0.1 * t, dt=0.1, n_steps=2, **options)
    assert steps_and_temperatures(own) is None
    assert steps_and_temperatures(curve.drop_attrs()) is None
