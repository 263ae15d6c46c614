"""Jarzynski's equality, Hatano and Sasa's, and the integral fluctuation theorem, against exact chains and numbers."""

import numpy as np
import pytest
import xarray as xr
from asserts import assert_excluded, assert_within
from linear_drifts import BROKEN_BALANCE, Chain, linear_drift
from scipy.linalg import solve_continuous_lyapunov

import sgdphys as sp
from sgdphys.analysis import (
    entropy_production_weight,
    hatano_sasa,
    integral_fluctuation,
    jarzynski,
    path_work,
    stationary_energies,
    stationary_energy,
)
from sgdphys.landscapes.driven import Driven
from sgdphys.noises import Full, Isotropic
from sgdphys.observers import Currents, Work

HESSIAN, COVARIANCE = BROKEN_BALANCE
ONE, BOWL = sp.landscapes.Quadratic(1.0), sp.landscapes.Quadratic(HESSIAN)
STAGES = sp.SGDSchedule(
    [(sp.SGD(lr=0.4, batch_size=1), 10), (sp.SGD(lr=0.1, batch_size=1), 10), (sp.SGD(lr=0.1, batch_size=2), 10)]
)


def gibbs(n, variance=1.0, seed=7):
    return np.sqrt(variance) * np.random.default_rng(seed).normal(size=(n, 1))


def pulled(first, last, n, *, t1=1.0, seed=0, dt=0.01):
    """A spring of stiffness 1 + s, s going from one value to the other, from the chain's state at its beginning."""
    stiffness = 1 + first
    return sp.simulate(
        Driven(ONE, ONE, sp.schedules.Linear(first, last, 0.0, t1)), temperature=1.0, dt=dt, t1=t1, save_at=0,
        start=gibbs(n, 1 / (stiffness * (1 - dt * stiffness / 2)), seed + 7), observers=[Work()], seed=seed,
    )  # fmt: skip


def value(result, name):
    return float(result[name]), float(result[f"{name}_standard_error"])


def test_jarzynski_of_a_spring_both_ways():
    """k from 1 to 2 at T = 1: Delta = .346574 and <e^-w> = .707107, <w> = .4166; the mean work is 20 errors away."""
    forward, back = pulled(0.0, 1.0, 100_000), pulled(1.0, 0.0, 100_000, seed=1)
    result = jarzynski(forward, reverse=back)
    delta, bias = 0.346574, 0.003  # the chain's own partition sums differ by this much
    for name, exact in (
        ("exponential_work", 0.707107),
        ("reduced_free_energy_difference", delta),
        ("acceptance_ratio_estimate", delta),
        ("mean_reduced_work", 0.4166),
        ("dissipated_work", 0.4166 - delta),
    ):
        estimate, error = value(result, name)
        assert_within(estimate, exact, error + bias / 2)
    assert value(result, "acceptance_ratio_estimate")[1] < 0.9 * value(result, "reduced_free_energy_difference")[1]
    mean, error = value(result, "mean_reduced_work")
    assert_excluded(mean, delta, error, smallest=20)
    cumulant, error = value(result, "second_cumulant_estimate")
    assert abs(cumulant - delta) < 0.03
    assert_excluded(cumulant, delta, error, smallest=10)  # the work is not Gaussian
    assert abs(float(result["consistency_z"])) < 4
    assert 0 < float(result["free_energy_bias"]) < 1e-4


def test_standard_errors_are_the_spread_of_repetitions():
    rng = np.random.default_rng(4)
    rows = []
    for _ in range(400):
        forward, back = (xr.Dataset({"reduced_work": ("particle", rng.normal(0.7, 1.0, 2000))}) for _ in range(2))
        back["reduced_work"] -= 0.4  # Gaussian work of variance 1: mean Delta + 1/2 and -Delta + 1/2, Delta = .2
        result = jarzynski(forward, reverse=back)
        rows.append({name: float(result[name]) for name in result})
    for name in rows[0]:
        if f"{name}_standard_error" in rows[0]:
            spread = np.std([row[name] for row in rows])
            assert np.mean([row[f"{name}_standard_error"] for row in rows]) == pytest.approx(spread, rel=0.15), name
    for name in ("acceptance_ratio_estimate", "second_cumulant_estimate"):
        values = [row[name] for row in rows]
        assert_within(np.mean(values), 0.2, np.std(values) / 20)
    z = np.array([row["consistency_z"] for row in rows])
    assert abs(z.std() - 1) < 0.15
    measured = [row["reduced_free_energy_difference"] for row in rows]
    assert_within(np.mean(measured), 0.2 + np.mean([row["free_energy_bias"] for row in rows]), np.std(measured) / 20)


@pytest.mark.parametrize("t1", [0.01, 1.0])
def test_annealing_suddenly_and_in_unit_time(t1):
    """T from 1 to .5: <e^-w> = .707107; from a start at another temperature it is not."""
    curve = sp.schedules.Linear(1.0, 0.5, 0.0, t1)
    options = {"temperature": curve, "dt": 0.01, "t1": t1, "observers": [Work()], "save_at": 0}
    average, error = value(jarzynski(sp.simulate(ONE, start=gibbs(100_000), **options)), "exponential_work")
    assert_within(average, 0.707107, error + 0.0005)
    wrong, _ = value(jarzynski(sp.simulate(ONE, start=gibbs(100_000, 0.5), **options)), "exponential_work")
    if t1 < 1:
        assert_excluded(wrong, 0.707107, error, smallest=20)


def test_work_of_a_stored_cloud_is_that_of_the_observer():
    for noise, sgd, energy in (
        (Isotropic(1.0), STAGES, "loss"),
        (Full(COVARIANCE), STAGES, stationary_energies(HESSIAN, COVARIANCE, STAGES)),
    ):
        cloud = sp.simulate(
            BOWL, noise, sgd=sgd, n_particles=500, start=[0.5, 0.2], observers=[Work(energy)], save_at=100
        )
        result = path_work(cloud, BOWL if energy == "loss" else energy)
        for name in ("work", "reduced_work", "heat"):
            np.testing.assert_allclose(result[name], cloud[name], rtol=1e-9, atol=1e-12)
    curve = sp.schedules.Linear(1.0, 0.5, 0.0, 1.0)
    moved = Driven(ONE, sp.landscapes.Linear([1.0]), sp.schedules.Cosine(0.0, 1.0, 0.0, 1.0))
    cloud = sp.simulate(moved, temperature=curve, dt=0.05, t1=1.0, n_particles=300, observers=[Work()], save_at=21)
    for temperature in (None, curve):
        result = path_work(cloud, moved, temperature=temperature)
        np.testing.assert_allclose(result["reduced_work"], cloud["reduced_work"], rtol=1e-9, atol=1e-12)
    part = path_work(cloud.isel(time=slice(5, 12)), moved)
    other = path_work(cloud.isel(time=slice(5, 12)), moved, temperature=curve)
    np.testing.assert_allclose(part["reduced_work"], other["reduced_work"], rtol=1e-12)
    with pytest.raises(ValueError, match="every step of the run, this cloud holds 11 frames up to 2 steps apart"):
        path_work(cloud.isel(time=slice(None, None, 2)), moved)
    with pytest.raises(ValueError, match="must be positive"):
        path_work(cloud, moved, temperature=sp.schedules.Linear(1.0, 0.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="energy must be a landscape"):
        path_work(cloud, "loss")


def test_hatano_sasa_knows_the_potential_from_the_loss():
    """C1, T from 1 to .5 in time 2: 1 with Phi, 1.351 with the loss."""
    n, curve = 60_000, sp.schedules.Linear(1.0, 0.5, 0.0, 2.0)
    covariance = solve_continuous_lyapunov(HESSIAN, 2 * COVARIANCE)
    start = np.random.default_rng(3).multivariate_normal(np.zeros(2), covariance, size=n)
    run = sp.simulate(
        BOWL, Full(COVARIANCE), temperature=curve, dt=0.01, t1=2.0, start=start, save_at=0,
        observers=[Work(stationary_energy(HESSIAN, COVARIANCE)), Work(name="loss")],
    )  # fmt: skip
    result = hatano_sasa(run)
    average, error = value(result, "hatano_sasa_average")
    assert_within(average, 1.0, error + 0.003)  # .003: bias of the time step
    assert float(result["partition_ratio"]) == pytest.approx(0.5)
    with pytest.warns(UserWarning, match="standard errors from 1: the energy is not the potential"):
        loss, _ = value(hatano_sasa(run, name="loss"), "hatano_sasa_average")
    assert loss == pytest.approx(1.351, rel=0.01)
    assert_excluded(loss, 1.0, error, smallest=50)


def test_hatano_sasa_is_exact_for_schedules_of_sgd():
    """lr .4 -> .1, then batch 1 -> 2, lr h up to .8: the map's potentials give 1, those of the equation .70."""
    exact, continuous = (stationary_energies(HESSIAN, COVARIANCE, STAGES, mode=m) for m in ("discrete", "lyapunov"))
    covariance = np.linalg.inv(exact[0][0].matrix / STAGES.sgd.temperature)
    start = np.random.default_rng(0).multivariate_normal(np.zeros(2), covariance, size=100_000)
    run = sp.simulate(
        BOWL, Full(COVARIANCE), sgd=STAGES, start=start, save_at=0,
        observers=[Work(exact), Work(continuous, name="equation"), Work(name="loss")],
    )  # fmt: skip
    average, error = value(hatano_sasa(run, partition_ratio=1.0), "hatano_sasa_average")
    assert_within(average, 1.0, error)
    assert error < 0.007
    np.testing.assert_allclose(average, float(run["exponential_work"]), rtol=1e-12)
    np.testing.assert_allclose(float(hatano_sasa(run, energy=exact)["hatano_sasa_average"]), average, rtol=1e-12)
    for name, energy in (("equation", continuous), ("loss", BOWL)):
        with pytest.warns(UserWarning, match="is not the potential"):
            wrong, _ = value(hatano_sasa(run, energy=energy, name=name), "hatano_sasa_average")
        assert_excluded(wrong, 1.0, error, smallest=40)


def test_jarzynski_of_a_batch_schedule_with_white_noise():
    """B from 1 to 4 and D = 1: Z_1/Z_0 = 1/2 in one dimension, exactly with the map's potential x^2 (1 - lr h/2)/2."""
    schedule = sp.SGDSchedule([(sp.SGD(lr=0.2, batch_size=size), 5) for size in (1, 4)])
    variance = 0.1 / (1 - 0.1)
    run = sp.simulate(
        ONE, Isotropic(1.0), sgd=schedule, start=gibbs(50_000, variance), save_at=0,
        observers=[Work(sp.landscapes.Quadratic(0.9)), Work(name="loss")],
    )  # fmt: skip
    average, error = value(jarzynski(run), "exponential_work")
    assert_within(average, 0.5, error)
    loss, error = value(jarzynski(run, name="loss"), "exponential_work")
    assert_excluded(loss, 0.5, error, smallest=10)


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (sp.schedules.Steps([0.0, 0.1], [0.5, 1.0]), "jumps by a factor of 2: the variance of exp.* is infinite"),
        (sp.schedules.Linear(0.5, 1.2, 0.0, 0.2), "rises by a factor of 2.4"),
    ],
)
def test_heating_is_warned_of(curve, message):
    run = sp.simulate(ONE, temperature=curve, dt=0.01, t1=0.2, start=gibbs(3000, 0.5), observers=[Work()], save_at=0)
    with pytest.warns(UserWarning, match=message) as told:
        jarzynski(run)
    assert told[0].filename == __file__


def test_cooling_and_slight_heating_are_not():
    run = sp.simulate(
        ONE, temperature=sp.schedules.Linear(0.5, 0.9, 0.0, 0.2), dt=0.01, t1=0.2, start=gibbs(3000, 0.5),
        observers=[Work()], save_at=0,
    )  # fmt: skip
    assert float(jarzynski(run)["effective_sample_size"]) > 100


def works(*values, **more):
    return xr.Dataset({"reduced_work": ("particle", np.array(values, dtype=float))} | more)


def test_what_cannot_be_trusted_is_said():
    rng = np.random.default_rng(0)
    with pytest.warns(UserWarning, match=r"rests on .* effective samples of 1000"):
        jarzynski(works(*rng.normal(20, 6, 1000)))
    good = rng.normal(0.5, 1.0, 1000)
    with pytest.warns(UserWarning, match="2 of 1000 particles is NaN") as told:
        jarzynski(works(np.nan, np.nan, *good[2:]))
    assert told[0].filename == __file__
    with pytest.warns(UserWarning, match=r"two runs tell free-energy differences .* standard errors apart"):
        jarzynski(works(*good), reverse=works(*(good + 1)))


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (xr.Dataset(), "has no reduced_work: run simulate with observers"),
        (works(), "at least 2 particles must be finite, got 0 of 0"),
        (works(1.0), "at least 2 particles must be finite, got 1 of 1"),
        (works(np.nan, np.nan, np.nan), "got 0 of 3"),
        (works(np.nan, np.nan, work=("particle", [1.0, 2.0])), "the temperature reaches 0"),
        (works(np.inf, 1.0, work=("particle", [1.0, 2.0])), "the temperature reaches 0"),
        ("run", "takes a Dataset"),
    ],
)
def test_bad_runs_are_refused_in_one_line(run, message):
    for check in (jarzynski, hatano_sasa):
        with pytest.raises(ValueError, match=message) as told:
            check(run)
        assert "\n" not in str(told.value)


def test_a_temperature_that_ends_at_zero_is_refused():
    run = sp.simulate(
        ONE, temperature=sp.schedules.Linear(1.0, 0.0, 0.0, 0.2), dt=0.1, t1=0.2, n_particles=10, start=1.0,
        observers=[Work()], save_at=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="the temperature reaches 0"):
        jarzynski(run)


def test_partition_sums_that_are_not_known_are_asked_for():
    with pytest.raises(ValueError, match=r"does not tell the temperatures.*give partition_ratio="):
        hatano_sasa(works(1.0, 2.0))
    with pytest.raises(ValueError, match="partition_ratio must be positive"):
        hatano_sasa(works(1.0, 2.0), partition_ratio=0.0)
    run = sp.simulate(
        sp.landscapes.DoubleWell(), temperature=sp.schedules.Linear(1.0, 0.9, 0.0, 0.2), dt=0.1, t1=0.2, start=1.0,
        n_particles=200, observers=[Work()], save_at=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="tells of no quadratic energy"):
        hatano_sasa(run)
    with pytest.raises(ValueError, match="partition sums of a DoubleWell are not known"):
        hatano_sasa(run, energy=sp.landscapes.DoubleWell())
    with pytest.raises(ValueError, match="must confine"):
        hatano_sasa(run, energy=sp.landscapes.Quadratic(-1.0))


def entropies(chain, n, n_steps, **weights):
    """Run a linear chain from its stationary state and return the particles' currents of each weight."""
    run = sp.simulate(
        linear_drift(chain.A), Full(2 * chain.D), temperature=0.5, dt=chain.dt, n_steps=n_steps, start=chain.draws(n),
        save_at=0, observers=[Currents(weight=weight, name=name) for name, weight in weights.items()],
    )  # fmt: skip
    return [run[f"{name}_integrated_current"] for name in weights]


def exponential_current(chain, weight, n_steps, factor=1.0):
    """Return <exp(-factor K)> of a stationary linear chain exactly, infinite where it is."""
    dim, noise = len(chain.S), np.linalg.inv(chain.V)
    size = dim * (n_steps + 1)
    precision, form = np.zeros((size, size)), np.zeros((size, size))
    precision[:dim, :dim] = np.linalg.inv(chain.S)
    for k in range(n_steps):
        step = np.zeros((dim, size))
        step[:, k * dim : (k + 2) * dim] = np.hstack([-chain.M, np.eye(dim)])
        middle, change = np.zeros((dim, size)), np.zeros((dim, size))
        middle[:, k * dim : (k + 2) * dim] = np.hstack([np.eye(dim), np.eye(dim)]) / 2
        change[:, k * dim : (k + 2) * dim] = np.hstack([-np.eye(dim), np.eye(dim)])
        precision += step.T @ noise @ step
        form += change.T @ weight @ middle
    tilted = precision + factor * (form + form.T)
    if np.linalg.eigvalsh(tilted)[0] <= 0:
        return np.inf
    return np.exp((np.linalg.slogdet(precision)[1] - np.linalg.slogdet(tilted)[1]) / 2)


def test_the_integral_fluctuation_theorem_is_exact_for_the_chain():
    """C1 at steps of .2: 1 to rounding with the chain's weight, 1.02 with the process's; <exp(-2 s)> is infinite."""
    chain = Chain(HESSIAN, COVARIANCE, 1.0, 0.2)
    exact = entropy_production_weight(chain.A, chain.D, dt=chain.dt)
    limit = entropy_production_weight(chain.A, chain.D)
    for n_steps, wrong in ((1, 1.01363), (2, 1.01882), (7, 1.02162)):
        assert exponential_current(chain, exact, n_steps) == pytest.approx(1.0, rel=1e-10)
        assert exponential_current(chain, limit, n_steps) == pytest.approx(wrong, abs=1e-5)
        assert exponential_current(chain, exact, n_steps, 2.0) == np.inf
    (s,) = entropies(chain, 50_000, 2, path=exact)
    mean, error = value(integral_fluctuation(s), "mean_entropy_production")
    assert_within(mean, 0.4 * chain.current_rate(exact), error)
    assert_excluded(mean, 0.0, error, smallest=50)


@pytest.mark.parametrize(("dt", "rate"), [(0.1, 1.89844), (0.01, 1.82982), (0.001, 1.82323)])
def test_the_weight_produces_the_known_rates(dt, rate):
    chain = Chain(HESSIAN, COVARIANCE, 0.1, dt)
    assert chain.current_rate(entropy_production_weight(chain.A, chain.D, dt=dt)) == pytest.approx(rate, abs=5e-6)


@pytest.mark.parametrize("t1", [0.25, 1.0])
def test_the_integral_fluctuation_theorem_of_the_rotation(t1):
    """b = 1, T = 1/2: <s> = 2 t and <exp(-s)> = 1, not exp(-<s>); both weights agree for a rotation."""
    chain = Chain([[1.0, 1.0], [-1.0, 1.0]], np.eye(2), 0.5, 0.025)
    weight = entropy_production_weight(chain.A, chain.D)
    np.testing.assert_allclose(weight, [[0, -2], [2, 0]], atol=1e-12)
    np.testing.assert_allclose(entropy_production_weight(chain.A, chain.D, dt=0.025), weight, atol=1e-9)
    (s,) = entropies(chain, 40_000, round(t1 / 0.025), path=weight)
    result = integral_fluctuation(s)
    average, error = value(result, "exponential_entropy")
    assert_within(average, 1.0, error)
    mean, error_of_mean = value(result, "mean_entropy_production")
    assert_within(mean, chain.current_rate(weight) * t1, error_of_mean)
    assert_excluded(average, np.exp(-mean), error, smallest=10)


def test_few_and_many_values():
    with pytest.warns(UserWarning, match="effective samples of 200"):
        integral_fluctuation(np.random.default_rng(0).normal(8, 4, 200))
    with pytest.raises(ValueError, match="entropies must be a number of each particle"):
        integral_fluctuation(np.zeros((2, 2)))


def test_the_theorem_is_exact_for_chains_whose_drift_turns_with_uneven_noise():
    chain = Chain([[1.0, 0.9], [-0.3, 0.6]], COVARIANCE, 0.7, 0.2)
    exact = entropy_production_weight(chain.A, chain.D, dt=chain.dt)
    for n_steps in (1, 4):
        assert exponential_current(chain, exact, n_steps) == pytest.approx(1.0, rel=1e-10)


def test_equal_works_have_no_bias_and_runs_of_unequal_size_agree():
    """4000 works forward, 400 back, Gaussian of variance .64 and Delta = .5; the ratio upside down gives -4.1."""
    assert float(jarzynski(works(*np.full(200, 0.3)))["free_energy_bias"]) == pytest.approx(0, abs=1e-15)
    rng = np.random.default_rng(5)
    estimates = []
    for _ in range(40):
        forward, back = works(*rng.normal(0.82, 0.8, 4000)), works(*rng.normal(-0.18, 0.8, 400))
        result = jarzynski(forward, reverse=back)
        estimates.append(value(result, "acceptance_ratio_estimate"))
    means, errors = np.array(estimates).T
    assert_within(means.mean(), 0.5, means.std() / np.sqrt(40))
    assert errors.mean() == pytest.approx(means.std(), rel=0.3)


def test_a_rise_after_a_fall_is_no_jump_above_what_was():
    curve = sp.schedules.Steps([0.0, 0.1, 0.2], [0.5, 0.3, 0.7])
    run = sp.simulate(ONE, temperature=curve, dt=0.01, t1=0.3, start=gibbs(3000, 0.5), observers=[Work()], save_at=0)
    with pytest.warns(UserWarning, match="the temperature rises by a factor of 2.33"):
        jarzynski(run)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (xr.Dataset({"reduced_work": ("particle", ["a", "b"])}), "reduced_work must be real numbers"),
        (works(0.0, 1.0) + 1j, "reduced_work must be real numbers"),
        (works(0.0, 1.0).expand_dims(x=2), "a number of each particle, got the shape"),
        (np.zeros(5), "takes a Dataset"),
    ],
)
def test_works_that_are_no_numbers_are_refused(run, message):
    with pytest.raises(ValueError, match=message):
        jarzynski(run)


@pytest.mark.filterwarnings("ignore:the average of exp:UserWarning")
def test_averages_beyond_all_floats_are_infinite_without_a_word():
    result = jarzynski(works(*(-1e4 - np.arange(3))))
    assert float(result["exponential_work"]) == np.inf
    assert float(result["reduced_free_energy_difference"]) == pytest.approx(-10001, abs=1)
