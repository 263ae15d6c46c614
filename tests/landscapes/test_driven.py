"""A landscape with a protocol: forces of each step, frozen landscapes, and where it may not stand."""

import naive
import numpy as np
import pytest

import sgdphys as sp
from sgdphys.kernels.philox import key_of
from sgdphys.landscapes import Quadratic
from sgdphys.landscapes.driven import Driven

BOWL, RAMP = Quadratic([[1.0, 0.3], [0.3, 2.0]]), sp.landscapes.Linear([1.0, -2.0])
PROTOCOL = sp.schedules.Linear(0.5, 2.0, begin=0.0, end=1.0)
X = np.random.default_rng(0).normal(size=(7, 2))


def test_the_force_of_a_step_is_that_of_its_beginning():
    dt, steps, temperature = 0.1, 12, 0.2
    cloud = sp.simulate(
        Driven(BOWL, RAMP, PROTOCOL), temperature=temperature, dt=dt, n_steps=steps, n_particles=3, start=[0.3, 0.1],
        save_at=steps + 1, record_potential=True,
    )  # fmt: skip
    path = [np.array([0.3, 0.1])]
    for k in range(steps):
        kick = np.sqrt(2 * temperature * dt) * naive.normals(key_of(0), 2, k, 2)
        force = BOWL.gradient(path[-1][None])[0] + PROTOCOL(k * dt) * RAMP.slope
        path.append(path[-1] - dt * force + kick)
    np.testing.assert_allclose(cloud["position"][:, 2], path, rtol=1e-5, atol=1e-6)
    s = PROTOCOL(cloud["time"].values)[:, None]
    x = cloud["position"].values
    exact = np.stack([BOWL.potential(frame) for frame in x]) + s * np.stack([RAMP.potential(frame) for frame in x])
    np.testing.assert_allclose(cloud["potential"], exact, rtol=1e-12)


@pytest.mark.parametrize("storage", ["float64", "float32"])
def test_recorded_potentials_in_a_store(tmp_path, storage):
    options = {"temperature": 0.2, "dt": 0.1, "n_steps": 12, "n_particles": 30, "start": [0.3, 0.1], "save_at": 7}
    options |= {"record_potential": True, "storage": storage}
    held = sp.simulate(Driven(BOWL, RAMP, PROTOCOL), **options)
    stored = sp.simulate(Driven(BOWL, RAMP, PROTOCOL), store=tmp_path / "run.zarr", **options)
    assert np.array_equal(held["potential"], stored["potential"])


def test_frozen_at_a_time_it_is_the_sum():
    driven = Driven(BOWL, RAMP, lambda t: 3.0 * t)
    np.testing.assert_allclose(driven.at(2.0).gradient(X), BOWL.gradient(X) + 6.0 * RAMP.gradient(X))
    np.testing.assert_allclose(driven.at(2.0).potential(X), BOWL.potential(X) + 6.0 * RAMP.potential(X))


def test_plain_values_are_those_at_time_zero():
    driven = Driven(BOWL, 2 * BOWL, PROTOCOL)
    for method in ("potential", "gradient", "hessian"):
        np.testing.assert_allclose(getattr(driven, method)(X), 2 * getattr(BOWL, method)(X), rtol=1e-12)
    assert driven.dim == 2
    assert driven.coordinate_names == ("x", "y")
    assert driven.configuration()["protocol"]["schedule"] == "Linear"


def test_sums_and_multiples_stay_driven():
    driven = 2.0 * (Driven(BOWL, RAMP, PROTOCOL) + BOWL)
    assert isinstance(driven, Driven)
    np.testing.assert_allclose(driven.at(1.0).gradient(X), 4 * BOWL.gradient(X) + 4 * RAMP.gradient(X))


@pytest.mark.parametrize("build", [
    lambda driven: BOWL + driven, lambda driven: sp.landscapes.Scaled(driven, 2.0),
    lambda driven: Driven(driven, RAMP, 1), lambda driven: Driven(BOWL, driven, 1),
])  # fmt: skip
def test_it_is_no_part_of_other_landscapes(build):
    """The wrong variant loses the drive."""
    with pytest.raises(ValueError, match="a landscape with a protocol is no part of others"):
        build(Driven(BOWL, RAMP, PROTOCOL))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((BOWL, Quadratic(1.0), 1.0), "one dimension"),
        ((BOWL, "x", 1.0), "a landscape has"),
        ((BOWL, RAMP, "fast"), "protocol must be"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Driven(*arguments)


def test_sgd_follows_the_protocol_too():
    sgd = sp.SGD(lr=0.1, batch_size=1, momentum=0.5)
    cloud = sp.simulate(
        Driven(BOWL, RAMP, PROTOCOL), sp.noises.Isotropic(0.0), sgd=sgd, n_steps=10, n_particles=1, start=[0.3, 0.1],
        save_at=1,
    )  # fmt: skip
    x, v = np.array([0.3, 0.1]), np.zeros(2)
    for k in range(10):
        v = 0.5 * v + BOWL.gradient(x[None])[0] + PROTOCOL(0.1 * k) * RAMP.slope
        x = x - 0.1 * v
    np.testing.assert_allclose(cloud["position"].values[0, 0], x, rtol=1e-12)


@pytest.mark.parametrize(
    "noise", [sp.noises.Isotropic(0.5), sp.noises.Formula(["1 + x**2", "2 + y"])], ids=["D", "D(x)"]
)
@pytest.mark.parametrize("name", ["Milstein", "PlatenWeak2", "StochasticHeun", "TamedEuler", "EulerMaruyama"])
def test_integrators_follow_a_constant_drive_like_the_sum(name, noise):
    options = {"temperature": 0.1, "dt": 0.1, "n_steps": 5, "n_particles": 9, "start": 0.2, "save_at": 1}
    clouds = [
        sp.simulate(landscape, noise, integrator=getattr(sp.integrators, name)(), **options)["position"].values
        for landscape in (Driven(BOWL, RAMP, 0.7), BOWL + 0.7 * RAMP)
    ]
    np.testing.assert_allclose(*clouds, rtol=1e-9)


@pytest.mark.parametrize("name", ["LeimkuhlerMatthews", "SRA1", "BAOAB", "OBABO", "UBU"])
def test_those_for_constant_noise_too(name):
    options = {"temperature": 0.1, "dt": 0.1, "n_steps": 5, "n_particles": 9, "start": 0.2, "save_at": 1}
    clouds = [
        sp.simulate(landscape, integrator=getattr(sp.integrators, name)(), **options)["position"].values
        for landscape in (Driven(BOWL, RAMP, 0.7), BOWL + 0.7 * RAMP)
    ]
    np.testing.assert_allclose(*clouds, rtol=1e-9)
