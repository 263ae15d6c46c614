"""The stochastic modified equations against SGD itself and their own closed forms (physics.md 6)."""

import naive
import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from least_squares_data import FOUR_SAMPLES

import sgdphys as sp
from sgdphys.integrators import EulerMaruyama, ModifiedEquation, Problem
from sgdphys.kernels.philox import key_of
from sgdphys.noises import Formula, GradientCovariance, Isotropic, LowRank, Minibatch, Stable

# f = x^2 from the two samples (x -+ 1)^2 (and a constant): curvature 2, gradient noise of variance 4
PARABOLA, H, C = sp.landscapes.Quadratic(2.0), 2.0, 4.0
TWO_SAMPLES = sp.landscapes.LeastSquares(np.sqrt(2.0) * np.ones((2, 1)), np.sqrt(2.0) * np.array([1.0, -1.0]))
NO_NOISE = Isotropic(1e-60)


def drift(landscape, x, order, lr):
    """Return grad f + (lr/2) H grad f of points (particle, coordinate), with the exact Hessian."""
    gradient = landscape.gradient(x)
    return gradient + (order - 1) * lr / 2 * np.einsum("pij,pj->pi", landscape.hessian(x), gradient)


def final_mean(lr, order, substeps=64):
    """Return E x at time 1 from x = 1; the drift is linear, so that it is the path without noise."""
    cloud = sp.simulate(
        PARABOLA, NO_NOISE, sgd=sp.SGD(lr=lr, batch_size=1), integrator=ModifiedEquation(order, substeps), t1=1.0,
        n_particles=1, start=1.0, save_at=1,
    )  # fmt: skip
    return float(cloud["position"].values[0, 0, 0])


@pytest.mark.parametrize(
    ("order", "golden"),
    [(1, [0.02796, 0.01376, 0.006823, 0.003397]), (2, [0.003429, 0.0008798, 0.0002228, 0.00005604])],
)
def test_errors_of_the_mean_fall_with_the_order_of_the_equation(order, golden):
    """|E x - (1 - 2 lr)^(1/lr)| at time 1; fitted orders 1.02, 1.01, 1.01 and 1.96, 1.98, 1.99."""
    rates = np.array([0.1, 0.05, 0.025, 0.0125])
    errors = np.array([abs(final_mean(lr, order) - (1 - 2 * lr) ** round(1 / lr)) for lr in rates])
    np.testing.assert_allclose(errors, golden, rtol=2e-3)
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), order, atol=0.05)


@pytest.mark.parametrize("order", [1, 2])
def test_gradient_descent_in_a_double_well(order):
    """The same without noise where the drift is not linear, from x = 1.6 to time 1."""
    well, errors = sp.landscapes.DoubleWell(), []
    for lr in (0.04, 0.02, 0.01):
        x, options = 1.6, {"sgd": sp.SGD(lr=lr, batch_size=1), "n_particles": 1, "start": 1.6, "save_at": 1}
        for _ in range(round(1 / lr)):
            x -= lr * (x**3 - x)
        cloud = sp.simulate(well, NO_NOISE, **options, integrator=ModifiedEquation(order, 32), t1=1.0)
        errors.append(abs(float(cloud["position"].values[0, 0, 0]) - x))
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), order, atol=0.15)


@pytest.mark.parametrize(("order", "substeps"), [(1, 1), (2, 2)])
def test_paths_in_a_driven_well_equal_the_naive_scheme(order, substeps):
    """The corrector takes the drive of the step's end, the second order that of half a learning rate before."""
    lr, protocol = 0.2, sp.schedules.Cyclic(-1.0, 2.0, 1.3, "sine")
    well, drive = sp.landscapes.Quadratic(1.5), sp.landscapes.Quadratic(1.0)
    cloud = sp.simulate(
        sp.landscapes.Driven(well, drive, protocol), NO_NOISE, sgd=sp.SGD(lr=lr, batch_size=1), n_steps=9,
        integrator=ModifiedEquation(order, substeps), n_particles=3, start=0.7,
    )  # fmt: skip
    dt, x, half = lr / substeps, 0.7, (order - 1) * lr / 2
    for step in range(9):
        now, then = protocol(dt * np.array([step, step + 1]))

        def b(x, s, rate=(then - now) / dt):
            h = 1.5 + s
            return h * x + half * (h * h - rate) * x

        y = x - dt * b(x, now)
        x -= dt * (b(x, now) + b(y, then)) / 2
        np.testing.assert_allclose(cloud["position"].values[step + 1, :, 0], x, rtol=1e-7)


@pytest.mark.parametrize("order", [1, 2])
def test_gradient_descent_in_a_driven_well(order):
    """Errors at time 1 in (x - s(t))^2, s from 0 to 1; without the change of s in the drift both orders would be 1."""
    moving, errors = sp.landscapes.Driven(PARABOLA, sp.landscapes.Linear([-2.0]), sp.schedules.Cosine(0, 1, 0, 1)), []
    for lr in (0.04, 0.02, 0.01):
        x, options = 0.5, {"sgd": sp.SGD(lr=lr, batch_size=1), "n_particles": 1, "start": 0.5, "save_at": 1}
        for step in range(round(1 / lr)):
            x -= lr * 2 * (x - (1 - np.cos(np.pi * lr * step)) / 2)
        cloud = sp.simulate(moving, NO_NOISE, **options, integrator=ModifiedEquation(order, 32), t1=1.0)
        errors.append(abs(float(cloud["position"].values[0, 0, 0]) - x))
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), order, atol=0.15)


@pytest.mark.parametrize(("order", "rate"), [(1, 2.0), (2, 2.2)])
def test_variance_at_time_one(order, rate):
    """lr 4/(2 a) (1 - e^(-2a)), a = 2 and 2 (1 + lr); that of SGD, .10985, is excluded."""
    n, lr = 500_000, 0.1
    cloud = sp.simulate(
        PARABOLA, Isotropic(C), sgd=sp.SGD(lr=lr, batch_size=1), integrator=ModifiedEquation(order, 16), t1=1.0,
        n_particles=n, start=1.0, save_at=1,
    )  # fmt: skip
    variance, exact = float(cloud["position"].var()), lr * C / (2 * rate) * (1 - np.exp(-2 * rate))
    assert_within(variance, exact, exact * np.sqrt(2 / n))
    of_sgd = lr**2 * C * (1 - (1 - lr * H) ** 20) / (1 - (1 - lr * H) ** 2)
    assert_excluded(variance, of_sgd, exact * np.sqrt(2 / n))


def test_at_stationarity_the_second_order_is_the_worse():
    """Variances of SGD with real minibatches .11111, of the equations .1 and .090909, at lr = .1."""
    n, sgd, variances = 500_000, sp.SGD(lr=0.1, batch_size=1), []
    for landscape, noise, scheme, steps in (
        (TWO_SAMPLES, Minibatch(), None, 60),
        (PARABOLA, Isotropic(C), ModifiedEquation(1, 8), 480),
        (PARABOLA, Isotropic(C), ModifiedEquation(2, 8), 480),
    ):
        options = {"sgd": sgd, "integrator": scheme, "n_steps": steps, "n_particles": n, "start": 0.0, "save_at": 1}
        variances.append(float((sp.simulate(landscape, noise, **options)["position"] ** 2).mean()))
    exact = np.array([1 / 9, 0.1, 1 / 11])
    assert_within(variances, exact, exact * np.sqrt(2 / n))
    assert_excluded(variances, np.roll(exact, 1), exact * np.sqrt(2 / n))


def test_the_scheme_is_of_second_order_in_its_steps():
    """Stationary variance of Heun's map at h dt = .4 against particles; Euler-Maruyama's is excluded."""
    n, dt, sgd = 500_000, 0.2, sp.SGD(lr=0.2, batch_size=1)

    def variance_of(dt):
        return (1 - H * dt / 2) ** 2 * sgd.lr * C * dt / (1 - (1 - H * dt + (H * dt) ** 2 / 2) ** 2)

    options = {"n_steps": 60, "n_particles": n, "start": 0.0, "save_at": 1}
    cloud = sp.simulate(PARABOLA, Isotropic(C), sgd=sgd, integrator=ModifiedEquation(1, 1), **options)
    variance, error = float((cloud["position"] ** 2).mean()), variance_of(dt) * np.sqrt(2 / n)
    assert_within(variance, variance_of(dt), error)
    assert_excluded(variance, sgd.lr * C / (H * (2 - H * dt)), error)
    limit = sgd.lr * C / (2 * H)
    assert (variance_of(0.02) - limit) / (variance_of(0.01) - limit) == pytest.approx(4, rel=0.03)


@pytest.mark.parametrize("order", [1, 2])
def test_paths_equal_the_naive_scheme(hessian, order):
    sgd = sp.SGD(lr=0.3, batch_size=2, n_samples=5, sampling="without")
    landscape, noise = sp.landscapes.Quadratic(hessian), LowRank([[1.0, 0.0], [0.3, 0.4], [0.0, 2.0]])
    start = np.array([0.5, -1.0, 2.0])
    cloud = sp.simulate(
        landscape, noise, sgd=sgd, integrator=ModifiedEquation(order, 2), n_steps=11, n_particles=70, start=start,
        save_at=12, seed=4,
    )  # fmt: skip
    dt = 0.15
    np.testing.assert_allclose(cloud["time"], dt * np.arange(12))
    for particle in (0, 69):
        x = start[np.newaxis]
        for step in range(12):
            np.testing.assert_allclose(cloud["position"].values[step, particle], x[0], rtol=1e-5, atol=1e-5)
            kick = (
                np.sqrt(2 * sgd.effective_temperature * dt) * noise.factor @ naive.normals(key_of(4), particle, step, 2)
            )
            first = drift(landscape, x, order, 0.3)
            x = x + kick - dt / 2 * (first + drift(landscape, x + kick - dt * first, order, 0.3))


@pytest.mark.parametrize(
    ("landscape", "low", "high"),
    [
        (sp.landscapes.DoubleWell(), [-1.8], [1.8]),
        (sp.landscapes.MuellerBrown(), [-1.2, -0.2], [0.9, 1.6]),
        (sp.landscapes.Expression("log(cosh(x - 1000)) + y**4/4 - cos(x)/3"), [998.0, -1.0], [1002.0, 2.0]),
        (sp.landscapes.Quadratic([[2.0, 0.3], [0.3, 1e-3]]), [-1e3, -1e3], [1e3, 1e3]),
    ],
    ids=["double well", "mueller-brown", "far from the origin", "quadratic"],
)
def test_the_curvature_term_needs_no_derivatives(landscape, low, high):
    """From the difference of the two orders after a step: (lr/2) H grad f to 1e-8 of its size where it is largest."""
    points = np.random.default_rng(2).uniform(low, high, size=(200, landscape.dim))
    lr = 0.3 / np.abs(landscape.hessian(points)).max()
    found, wanted = [], []
    for order in (1, 2):
        cloud = sp.simulate(
            landscape, NO_NOISE, sgd=sp.SGD(lr=lr, batch_size=1), integrator=ModifiedEquation(order, 1), n_steps=1,
            start=points, save_at=1,
        )  # fmt: skip
        first = drift(landscape, points, order, lr)
        wanted.append(points - lr / 2 * (first + drift(landscape, points - lr * first, order, lr)))
        found.append(cloud["position"].values[0])
    term = wanted[0] - wanted[1]
    assert np.abs(found[1] - wanted[1]).max() < 1e-8 * np.abs(term).max()
    assert np.abs(term).max() > 1e-3


def test_first_order_is_the_equation_that_euler_maruyama_solves():
    """Means of x^2 of a double well by either scheme in small steps, within sampling error."""
    n, sgd, well = 200_000, sp.SGD(lr=0.1, batch_size=1), sp.landscapes.DoubleWell()
    options = {"n_particles": n, "start": 1.0, "save_at": 1, "t1": 2.0}
    one = sp.simulate(well, Isotropic(1.0), sgd=sgd, integrator=ModifiedEquation(1, 8), **options)
    other = sp.simulate(well, temperature=sgd.temperature, dt=0.0025, integrator=EulerMaruyama(), seed=1, **options)
    squares = [cloud["position"].values ** 2 for cloud in (one, other)]
    error = np.hypot(*(square.std() / np.sqrt(n) for square in squares))
    assert_within(squares[0].mean(), squares[1].mean(), error)


def heun_variance(h, dt, noise, growth=0.0):
    """Return the stationary variance of Heun's map with drift -h x and a kick of variance noise + growth x^2 a time."""
    keep, kept_noise = 1 - h * dt + (h * dt) ** 2 / 2, (1 - h * dt / 2) ** 2 * dt
    return kept_noise * noise / (1 - keep**2 - kept_noise * growth)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("reading", "share"), [("ito", 0.0), ("stratonovich", 0.5), ("hanggi-klimontovich", 1.0)])
def test_noise_that_depends_on_the_place_keeps_its_reading(order, reading, share):
    """D = 1 + x^2 (physics.md G3): share T D' joins the Ito drift; E x^2 of the map, another reading is excluded."""
    n, sgd, substeps = 400_000, sp.SGD(lr=0.2, batch_size=1), 4
    cloud = sp.simulate(
        sp.landscapes.Quadratic(1.0), Formula("1 + x**2", interpretation=reading), sgd=sgd, n_steps=400,
        integrator=ModifiedEquation(order, substeps), n_particles=n, start=0.0, save_at=1,
    )  # fmt: skip
    temperature, dt = sgd.temperature, sgd.lr / substeps
    curvature = 1 + (order - 1) * sgd.lr / 2
    exact, wrong = (
        heun_variance(curvature - 2 * part * temperature, dt, 2 * temperature, 2 * temperature)
        for part in (share, 1.0 if share == 0.5 else 0.5)
    )
    squares = cloud["position"].values[0, :, 0] ** 2
    error = squares.std() / np.sqrt(n)
    assert_within(squares.mean(), exact, error)
    assert_excluded(squares.mean(), wrong, error)


def test_the_gradient_covariance_of_a_data_set():
    """Least squares, C = s + (m4 - h^2) x^2 about the minimum: between SGD's .0350695 and the constant C's .0249344."""
    n, sgd, substeps = 400_000, sp.SGD(lr=0.2, batch_size=1), 4
    cloud = sp.simulate(
        FOUR_SAMPLES, GradientCovariance(FOUR_SAMPLES), sgd=sgd, integrator=ModifiedEquation(1, substeps), n_steps=300,
        n_particles=n, start=0.64, save_at=1,
    )  # fmt: skip
    squares = (cloud["position"].values[0, :, 0] - 0.64) ** 2
    h, spread, minimum_noise = 1.5625, 4.515625 - 1.5625**2, 0.3896
    exact = heun_variance(h, sgd.lr / substeps, sgd.lr * minimum_noise, sgd.lr * spread)
    error = squares.std() / np.sqrt(n)
    assert_within(squares.mean(), exact, error)
    assert_excluded(squares.mean(), 0.0249344, error)
    assert_excluded(squares.mean(), 0.0350695, error)


def test_what_it_does_not_solve_is_refused_by_name():
    def prepare(sgd, noise=Isotropic(1.0)):  # noqa: B008
        ModifiedEquation(2, 4).prepared(Problem(PARABOLA, noise, sgd))

    with pytest.raises(ValueError, match=r"ModifiedEquation\(order=2, substeps=4\) needs sgd= .noise Isotropic"):
        prepare(None)
    with pytest.raises(ValueError, match=r"no momentum, got 0\.9"):
        prepare(sp.SGD(lr=0.1, batch_size=1, momentum=0.9))
    with pytest.raises(ValueError, match="weight decay as part of the landscape"):
        prepare(sp.SGD(lr=0.1, batch_size=1, weight_decay=0.1))
    with pytest.raises(ValueError, match=r"cannot take real minibatches \(noise Minibatch\)"):
        prepare(sp.SGD(lr=0.1, batch_size=1), Minibatch())
    with pytest.raises(ValueError, match="needs Gaussian noise, and Stable is not"):
        prepare(sp.SGD(lr=0.1, batch_size=1), Stable(1.5))
    with pytest.raises(ValueError, match="order must be 1 or 2"):
        ModifiedEquation(3)
    with pytest.raises(ValueError, match="substeps must be"):
        ModifiedEquation(2, 0)
