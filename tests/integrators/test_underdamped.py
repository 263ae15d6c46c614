"""What the three splittings of underdamped Langevin dynamics share: paths, stationary states, energy, refusals."""

import langevin_maps
import naive
import numpy as np
import pytest
from asserts import assert_excluded, assert_same_bits, assert_within
from scipy import integrate, linalg

import sgdphys as sp
from sgdphys.integrators import BAOAB, OBABO, UBU, Problem
from sgdphys.kernels.philox import key_of
from sgdphys.noises import Formula, Full, Isotropic, LowRank, Minibatch, Stable

SCHEMES = pytest.mark.parametrize("scheme", [OBABO, BAOAB, UBU])
DIFFUSION = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.5]])


def states(cloud, frame=0):
    """Return (particle, row) of positions and velocities."""
    return np.concatenate([cloud["position"].values[frame], cloud["velocity"].values[frame]], axis=1)


@SCHEMES
def test_paths_equal_the_naive_parts(hessian, scheme):
    noise, start = LowRank([[1.0, 0.0], [0.3, 0.4], [0.0, 2.0]]), np.array([0.5, -1.0, 2.0])
    options = {"dt": 0.3, "temperature": 0.4}
    cloud = sp.simulate(
        sp.landscapes.Quadratic(hessian), noise, **options, integrator=scheme(friction=1.7), n_steps=11,
        n_particles=130, start=start, save_at=12, seed=4,
    )  # fmt: skip
    for particle in (0, 64, 129):
        x, v = langevin_maps.path(
            scheme.__name__, lambda x: hessian @ x, noise.factor, start, 11, friction=1.7, **options,
            deviates=lambda step, number, particle=particle: naive.normals(key_of(4), particle, step, number),
        )  # fmt: skip
        np.testing.assert_allclose(cloud["position"].values[:, particle], x, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(cloud["velocity"].values[:, particle], v, rtol=1e-5, atol=1e-5)


@SCHEMES
@pytest.mark.parametrize("friction", [0.5, 3.0])
def test_stationary_covariance_solves_the_discrete_lyapunov_equation(hessian, covariance_error, scheme, friction):
    """Of all six rows, D not commuting with H; the same at half the temperature is excluded."""
    n, options = 200_000, {"dt": 0.6, "temperature": 0.3}
    cloud = sp.simulate(
        sp.landscapes.Quadratic(hessian), Full(DIFFUSION), **options, integrator=scheme(friction), n_steps=120,
        n_particles=n, start=0.0, save_at=1,
    )  # fmt: skip
    state = states(cloud)
    exact = langevin_maps.stationary_covariance(
        scheme.__name__, hessian, np.linalg.cholesky(DIFFUSION), friction=friction, **options
    )
    error, covariance = covariance_error(exact, n), state.T @ state / n
    assert_within(covariance, exact, error)
    assert_excluded(np.diag(covariance), np.diag(exact) / 2, np.diag(error))


@SCHEMES
def test_small_steps_reach_the_equation_to_second_order(scheme):
    """Exact covariance of the map against that of the equation: the difference falls by four with dt/2."""
    h, friction, temperature, one = 1.0, 0.8, 0.5, np.eye(1)
    limit = temperature * np.diag([1 / h, 1.0])

    def error(dt):
        exact = langevin_maps.stationary_covariance(
            scheme.__name__, h * one, one, dt=dt, friction=friction, temperature=temperature
        )
        return np.linalg.norm(exact - limit)

    assert error(0.1) / error(0.05) == pytest.approx(4, rel=0.02)


@SCHEMES
def test_without_friction_energy_is_kept(scheme):
    """Verlet keeps its own energy exactly: x^2 (or, drifting first, v^2) weighs 1 - dt^2/4; T does nothing."""
    dt = 0.4
    cloud = sp.simulate(
        sp.landscapes.Quadratic(1.0), temperature=0.7, dt=dt, integrator=scheme(friction=0.0), n_steps=1000,
        n_particles=2, start=1.0, save_at=1001,
    )  # fmt: skip
    x, v = cloud["position"].values[:, 0, 0], cloud["velocity"].values[:, 0, 0]
    weights = (1.0, 1 - dt**2 / 4) if scheme is UBU else (1 - dt**2 / 4, 1.0)
    energy = (weights[0] * x**2 + weights[1] * v**2) / 2
    np.testing.assert_allclose(energy, energy[0], rtol=1e-12)
    assert np.ptp(x**2 + v**2) > 0.01


@SCHEMES
def test_energy_error_over_a_period_is_of_second_order(scheme):
    """A double well without friction, from x = 1.6 across the barrier and back; x = 1.6 and v = 0 return."""

    def errors(dt):
        cloud = sp.simulate(
            sp.landscapes.DoubleWell(), temperature=0.0, dt=dt, integrator=scheme(friction=0.0), t1=6.0, n_particles=1,
            start=1.6, save_at=601,
        )  # fmt: skip
        x, v = cloud["position"].values[:, 0, 0], cloud["velocity"].values[:, 0, 0]
        energy = v**2 / 2 + x**4 / 4 - x**2 / 2
        return np.abs(energy - energy[0]).max()

    assert errors(0.02) / errors(0.01) == pytest.approx(4, rel=0.05)
    assert errors(0.01) < 1e-3


@SCHEMES
def test_double_well_has_the_gibbs_state(scheme):
    """E x^2 and E v^2 at dt = .05, where the bias h dt^2/4 is below the standard error; T/2 is excluded."""
    n, temperature = 100_000, 0.1
    start = np.where(np.arange(n) % 2, 1.0, -1.0)
    cloud = sp.simulate(
        sp.landscapes.DoubleWell(), temperature=temperature, dt=0.05, integrator=scheme(friction=1.5), t1=15.0,
        n_particles=n, start=start, save_at=1, seed=3,
    )  # fmt: skip

    def second_moment(temperature):
        def weight(x):
            return np.exp(-(x**4 / 4 - x**2 / 2) / temperature)

        norm = integrate.quad(weight, -4, 4, points=[-1, 1])[0]
        return integrate.quad(lambda x: x**2 * weight(x), -4, 4, points=[-1, 1])[0] / norm

    for square, exact, wrong in (
        (cloud["position"].values ** 2, second_moment(temperature), second_moment(temperature / 2)),
        (cloud["velocity"].values ** 2, temperature, temperature / 2),
    ):
        error = square.std() / np.sqrt(n)
        assert_within(square.mean(), exact, error)
        assert_excluded(square.mean(), wrong, error)


@SCHEMES
def test_a_scheduled_temperature_counts_step_by_step(scheme):
    """S <- M S M' + T_k N N' with the T of each step; the last temperature throughout is excluded."""
    n, dt, friction, one, steps = 200_000, 0.2, 0.7, np.eye(1), 20

    def temperature(t):
        return 1.0 - 0.2 * t

    cloud = sp.simulate(
        sp.landscapes.Quadratic(1.0), temperature=temperature, dt=dt, integrator=scheme(friction), n_steps=steps,
        n_particles=n, start=0.0, save_at=1,
    )  # fmt: skip
    step, noise = langevin_maps.linear_map(scheme.__name__, one, one, dt=dt, friction=friction, temperature=1.0)
    exact, cold = np.zeros((2, 2)), np.zeros((2, 2))
    for k in range(steps):
        exact = step @ exact @ step.T + temperature(k * dt) * noise @ noise.T
        cold = step @ cold @ step.T + temperature((steps - 1) * dt) * noise @ noise.T
    variance, error = states(cloud).var(axis=0), np.diag(exact) * np.sqrt(2 / n)
    assert_within(variance, np.diag(exact), error)
    assert_excluded(variance, np.diag(cold), error)


@SCHEMES
def test_a_driven_landscape_is_followed_to_second_order(scheme):
    """x'' = -x - gamma x' - sin 2t without noise; a drive held during each step would be of first order."""
    friction, t1 = 0.5, 2.0
    driven = sp.landscapes.Driven(
        sp.landscapes.Quadratic(1.0), sp.landscapes.Linear([1.0]), lambda t: np.sin(2 * np.asarray(t))
    )

    def rates(t, state):
        return [state[1], -state[0] - friction * state[1] - np.sin(2 * t)]

    exact = integrate.solve_ivp(rates, (0, t1), [1.0, 0.0], rtol=1e-10, atol=1e-12).y[:, -1]

    def error(dt):
        cloud = sp.simulate(
            driven, temperature=0.0, dt=dt, integrator=scheme(friction), t1=t1, n_particles=1, start=1.0, save_at=1
        )
        return np.linalg.norm(states(cloud)[0] - exact)

    assert error(0.1) / error(0.05) == pytest.approx(4, rel=0.1)


@SCHEMES
def test_a_run_goes_on_from_a_cloud_to_the_bit(scheme):
    options = {"temperature": 0.2, "dt": 0.1, "integrator": scheme(), "n_particles": 70, "save_at": 1}
    well = sp.landscapes.DoubleWell()
    whole = sp.simulate(well, **options, n_steps=21, start=1.0, threads=2)
    first = sp.simulate(well, **options, n_steps=9, start=1.0, block_size=64, threads=1)
    rest = sp.simulate(well, **(options | {"n_particles": None}), n_steps=12, start=first)
    for name in ("position", "velocity", "step"):
        assert_same_bits(whole[name].values, rest[name].values)


def test_heavy_ball_is_close_to_the_equation_that_its_documentation_names():
    """Rotation and damping of a step at lr = .05, mu = .9, h = 1 (physics.md 10: .2239150, sqrt mu) to 0.3 %."""
    lr, mu, h, batch = 0.05, 0.9, 1.0, 1
    dt = np.sqrt(2 * lr / (1 + mu))
    friction, temperature = (1 - mu) * dt / lr, lr / (2 * batch * (1 - mu))
    of_map = np.linalg.eigvals([[1 - lr * h, -lr * mu], [h, mu]])
    of_equation = np.exp(dt * np.linalg.eigvals([[0.0, 1.0], [-h, -friction]]))
    assert np.abs(np.angle(of_map[0])) == pytest.approx(0.2239150, abs=1e-7)
    np.testing.assert_allclose(np.sort_complex(of_equation), np.sort_complex(of_map), rtol=3e-3)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(h), temperature=temperature, dt=dt, integrator=BAOAB(friction), n_steps=150,
        n_particles=100_000, save_at=1,
    )  # fmt: skip
    heavy_ball = linalg.solve_discrete_lyapunov(
        np.array([[1 - lr * h, -lr * mu], [h, mu]]), np.outer([-lr, 1], [-lr, 1]) / batch
    )
    variance = float(cloud["position"].var())
    assert heavy_ball[0, 0] == pytest.approx(0.253333, rel=1e-5)
    assert variance == pytest.approx(heavy_ball[0, 0] * (1 - lr * h / (2 * (1 + mu))), rel=4 * np.sqrt(2 / 100_000))


@SCHEMES
def test_what_it_does_not_solve_is_refused_by_name(scheme):
    well = sp.landscapes.Quadratic(1.0)
    name = scheme.__name__
    for noise, sgd, message in (
        (Formula("1 + x**2"), None, rf"{name}.*constant diffusion.*Formula"),
        (Stable(1.5), None, rf"{name}.*Gaussian.*Stable"),
        (Minibatch(), None, rf"{name}.*Minibatch"),
        (Isotropic(1.0), sp.SGD(lr=0.1, batch_size=1, momentum=0.9), rf"{name}.*temperature= and dt=.*Isotropic"),
    ):
        with pytest.raises(ValueError, match=message):
            scheme().prepared(Problem(well, noise, sgd))
    with pytest.raises(ValueError, match="friction must"):
        scheme(friction=-1.0)


def test_configurations_tell_frictions_apart():
    options = {"temperature": 0.1, "dt": 0.1, "n_steps": 1, "n_particles": 1}
    runs = [sp.simulate(sp.landscapes.DoubleWell(), **options, integrator=OBABO(g)) for g in (1.0, 2.0)]
    assert "OBABO(friction=1.0)" in runs[0].attrs["configuration"]
    assert runs[0].attrs["configuration"] != runs[1].attrs["configuration"]
