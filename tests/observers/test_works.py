"""Work and heat: sums along the saved path, the first law, and exponential averages against those of the chain."""

import numpy as np
import pytest
from asserts import assert_excluded, assert_same_bits, assert_within
from linear_drifts import BROKEN_BALANCE
from scipy.linalg import solve_continuous_lyapunov

import sgdphys as sp
from sgdphys.landscapes.driven import Driven
from sgdphys.noises import Full
from sgdphys.observers import Work

HESSIAN, COVARIANCE = BROKEN_BALANCE
ONE = sp.landscapes.Quadratic(1.0)


def exponential_work(hessians, energies, diffusions, dt, start, *, before=False):
    """Return <exp(-w)> of the Gaussian chain, exactly.

    Step k moves by x <- (1 - dt H_k) x + noise of covariance 2 dt D_k; then x' E_k x / 2 becomes x' E_(k+1) x / 2. The
    wrong variant ``before`` takes the change where the step began.
    """
    dim = len(start)
    form, log = np.zeros((dim, dim)), 0.0  # the average over the rest of the path is exp(log - x' form x)
    for k in range(len(hessians) - 2, -1, -1):
        change = (energies[k + 1] - energies[k]) / 2
        form = form if before else form + change
        spread = np.eye(dim) + 4 * dt * diffusions[k] @ form
        step = np.eye(dim) - dt * hessians[k]
        form, log = step.T @ form @ np.linalg.inv(spread) @ step, log - 0.5 * np.linalg.slogdet(spread)[1]
        form = form + change if before else form
    return np.exp(log - 0.5 * np.linalg.slogdet(np.eye(dim) + 2 * start @ form)[1])


def paths(temperature, stiffness, dt, n=101):
    """Return the exact average for a spring of stiffness k(t) at temperature T(t) from its Gibbs state, both ways."""
    times = dt * np.arange(n)
    k, t = stiffness(times), temperature(times)
    as_matrices = [array[:, np.newaxis, np.newaxis] for array in (k, k / t, t)]
    return [exponential_work(*as_matrices, dt, np.array([[t[0] / k[0]]]), before=before) for before in (False, True)]


def gibbs(n, variance=1.0):
    return np.sqrt(variance) * np.random.default_rng(7).normal(size=(n, 1))


def test_equal_the_sums_along_the_path():
    schedule, temperature = sp.schedules.Cosine(0.2, 0.8, 0.0, 1.0), sp.schedules.Linear(0.5, 0.8, 0.3, 1.5)
    base, drive = sp.landscapes.Expression("x**4/4 + y**2/2"), sp.landscapes.Linear([1.0, -0.5])
    cloud = sp.simulate(
        Driven(base, drive, schedule), temperature=temperature, dt=0.05, n_steps=30, n_particles=400, start=[0.5, 0.2],
        save_at=31, observers=[Work()], record_potential=True,
    )  # fmt: skip
    time, x = cloud["time"].values, cloud["position"].values
    s, t = schedule(time), temperature(time)
    u, v = (np.stack([part.potential(points) for points in x]) for part in (base, drive))
    work = sum((s[k + 1] - s[k]) * v[k + 1] for k in range(30))
    reduced = sum((u[k + 1] + s[k + 1] * v[k + 1]) / t[k + 1] - (u[k + 1] + s[k] * v[k + 1]) / t[k] for k in range(30))
    np.testing.assert_allclose(cloud["potential"], u + s[:, None] * v, rtol=1e-12)
    np.testing.assert_allclose(cloud["work"], work, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(cloud["reduced_work"], reduced, rtol=1e-9, atol=1e-12)
    gained = cloud["potential"].values[-1] - cloud["potential"].values[0]
    np.testing.assert_allclose(cloud["heat"] + cloud["work"], gained, rtol=1e-9, atol=1e-12)
    weights = np.exp(-reduced)
    np.testing.assert_allclose(cloud["exponential_work"], weights.mean(), rtol=1e-9)
    np.testing.assert_allclose(cloud["exponential_work_standard_error"], weights.std() / 20, rtol=1e-9)
    np.testing.assert_allclose(cloud["effective_sample_size"], weights.sum() ** 2 / (weights**2).sum(), rtol=1e-9)


def test_underdamped_motion_has_its_kinetic_energy_too():
    """In two coordinates, where one row too many would read the matrix beyond its end; the loss alone is excluded."""
    schedule, temperature = sp.schedules.Cosine(0.2, 0.8, 0.0, 1.0), sp.schedules.Linear(0.5, 0.8, 0.3, 1.5)
    base, drive = sp.landscapes.Quadratic([[1.0, 0.3], [0.3, 2.0]]), sp.landscapes.Linear([1.0, -0.5])
    cloud = sp.simulate(
        Driven(base, drive, schedule), temperature=temperature, dt=0.1, n_steps=15, n_particles=400, start=[0.5, 0.2],
        integrator=sp.integrators.BAOAB(), observers=[Work()],
    )  # fmt: skip
    time, x, v = (cloud[name].values for name in ("time", "position", "velocity"))
    s, t = schedule(time), temperature(time)
    loss, d = (np.stack([part.potential(points) for points in x]) for part in (base, drive))
    u = loss + np.sum(v**2, axis=2) / 2
    work = sum((s[k + 1] - s[k]) * d[k + 1] for k in range(15))
    reduced = sum((u[k + 1] + s[k + 1] * d[k + 1]) / t[k + 1] - (u[k + 1] + s[k] * d[k + 1]) / t[k] for k in range(15))
    np.testing.assert_allclose(cloud["work"], work, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(cloud["reduced_work"], reduced, rtol=1e-9, atol=1e-12)
    gained = u[-1] + s[-1] * d[-1] - u[0] - s[0] * d[0]
    np.testing.assert_allclose(cloud["heat"] + cloud["work"], gained, rtol=1e-9, atol=1e-12)


def test_a_stage_of_sgd_changes_the_temperature_where_the_stage_before_ended():
    """The batch grows from 1 to 4 after the third step: w = f(x_3) (1/T_1 - 1/T_0)."""
    schedule = sp.SGDSchedule([(sp.SGD(lr=0.1, batch_size=1), 3), (sp.SGD(lr=0.1, batch_size=4), 5)])
    cloud = sp.simulate(
        ONE, sp.noises.Isotropic(1.0), sgd=schedule, n_particles=500, start=0.5, observers=[Work()],
        record_potential=True,
    )  # fmt: skip
    reduced = cloud["potential"].values[3] * (1 / 0.0125 - 1 / 0.05)
    np.testing.assert_allclose(cloud["reduced_work"], reduced, rtol=1e-9)


def test_a_spring_that_stiffens():
    """Jarzynski, k from 1 to 2 in unit time at T = 1: <e^-W> = .707107, <W> = .4166 > dF = .346574."""
    dt, n = 0.01, 400_000
    exact, _ = paths(np.ones_like, lambda t: 1 + t, dt)
    assert exact == pytest.approx(np.sqrt(0.5), abs=0.001)
    cloud = sp.simulate(
        Driven(ONE, ONE, sp.schedules.Linear(0.0, 1.0, 0.0, 1.0)), temperature=1.0, dt=dt, t1=1.0, start=gibbs(n),
        observers=[Work()], save_at=0,
    )  # fmt: skip
    average, error = (float(cloud[f"exponential_work{end}"]) for end in ("", "_standard_error"))
    assert_within(average, exact, error)
    work = cloud["work"].values
    np.testing.assert_allclose(work, cloud["reduced_work"], rtol=1e-12)
    assert_within(work.mean(), 0.4166, work.std() / np.sqrt(n) + 0.002)  # .002: bias of the time step
    assert_excluded(work.mean(), 0.346574, work.std() / np.sqrt(n), smallest=50)
    assert 0.1 * n < float(cloud["effective_sample_size"]) < n


def test_the_work_is_that_of_a_change_where_the_step_arrived():
    """At dt = .05 the two orders of step and change differ: one obeys the equality to .002, the other fails by .006."""
    dt, n = 0.05, 1_000_000
    exact, wrong = paths(np.ones_like, lambda t: 1 + t, dt, 21)
    cloud = sp.simulate(
        Driven(ONE, ONE, sp.schedules.Linear(0.0, 1.0, 0.0, 1.0)), temperature=1.0, dt=dt, t1=1.0, start=gibbs(n),
        observers=[Work()], save_at=0,
    )  # fmt: skip
    average, error = (float(cloud[f"exponential_work{end}"]) for end in ("", "_standard_error"))
    assert_within(average, exact, error)
    assert_excluded(average, wrong, error, smallest=10)


@pytest.mark.parametrize(("first", "last", "ratio"), [(1.0, 0.5, np.sqrt(0.5)), (0.5, 1.0 - 1e-9, np.sqrt(2))])
def test_annealing(first, last, ratio):
    """T from 1 to .5 and back in unit time: <e^-w> is the ratio of the partition sums, .707107 and 1.414214."""
    dt, n = 0.01, 200_000
    schedule = sp.schedules.Linear(first, last, 0.0, 1.0)
    exact, _ = paths(schedule, np.ones_like, dt)
    assert exact == pytest.approx(ratio, rel=0.002)
    cloud = sp.simulate(ONE, temperature=schedule, dt=dt, t1=1.0, start=gibbs(n, first), observers=[Work()], save_at=0)
    average, error = (float(cloud[f"exponential_work{end}"]) for end in ("", "_standard_error"))
    assert_within(average, exact, error)
    assert np.all(cloud["work"].values == 0)
    assert_excluded(average, 1.0, error, smallest=50)


def test_hatano_sasa_needs_the_potential_of_the_noise():
    """C1, T from 1 to .5 in time 2: <e^-w> / (Z_1 / Z_0) is 1 with Phi and 1.35 with the loss."""
    dt, n, t1 = 0.01, 100_000, 2.0
    covariance = solve_continuous_lyapunov(HESSIAN, 2 * COVARIANCE)
    phi = np.linalg.inv(covariance)
    schedule = sp.schedules.Linear(1.0, 0.5, 0.0, t1)
    start = np.random.default_rng(3).multivariate_normal(np.zeros(2), covariance, size=n)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(HESSIAN), Full(COVARIANCE), temperature=schedule, dt=dt, t1=t1, start=start, save_at=0,
        observers=[Work(energy=sp.landscapes.Quadratic(phi)), Work(name="loss")],
    )  # fmt: skip
    times = schedule(dt * np.arange(201))[:, np.newaxis, np.newaxis]
    for name, energy, continuous in (("", phi, 1.0), ("loss_", HESSIAN, 1.351)):
        exact = exponential_work(np.repeat(HESSIAN[None], 201, 0), energy / times, times * COVARIANCE, dt, covariance)
        average, error = (float(cloud[f"{name}exponential_work{end}"]) for end in ("", "_standard_error"))
        assert_within(average, exact, error)
        assert 2 * exact == pytest.approx(continuous, rel=0.01)  # Z_1 / Z_0 = T_1 / T_0 = 1/2 in two dimensions
    assert_excluded(average * 2, 1.0, 2 * error, smallest=50)


def test_a_potential_with_the_protocol_of_the_run():
    """An energy that is driven too follows s; one with another protocol is refused."""
    protocol = sp.schedules.Linear(0.0, 1.0, 0.0, 1.0)
    run = Driven(ONE, ONE, protocol)
    options = {"temperature": 1.0, "dt": 0.1, "t1": 1.0, "n_particles": 1000, "start": 1.0, "save_at": 0}
    cloud = sp.simulate(run, observers=[Work(), Work(Driven(ONE, 2 * ONE, protocol), name="twice")], **options)
    np.testing.assert_allclose(cloud["twice_work"], 2 * cloud["work"], rtol=1e-12)
    with pytest.raises(ValueError, match="must have that of the landscape"):
        sp.simulate(run, observers=[Work(Driven(ONE, ONE, sp.schedules.Linear(0.0, 2.0, 0.0, 1.0)))], **options)


def test_few_effective_samples_are_warned_of():
    hard = Driven(ONE, sp.landscapes.Linear([1.0]), sp.schedules.Linear(0.0, 50.0, 0.0, 0.1))
    with pytest.warns(UserWarning, match=r"rests on .* effective samples of 1000"):
        sp.simulate(hard, temperature=1.0, dt=0.01, t1=0.1, start=gibbs(1000), observers=[Work()], save_at=0)


def test_runs_without_change_and_energies_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="needs something that changes"):
        sp.simulate(ONE, temperature=1.0, dt=0.1, t1=1.0, observers=[Work()])
    options = {"temperature": sp.schedules.Linear(1.0, 0.5, 0, 1), "dt": 0.1, "t1": 1.0}
    with pytest.raises(ValueError, match="must have 1 coordinates"):
        sp.simulate(ONE, observers=[Work(sp.landscapes.Quadratic(np.eye(2)))], **options)
    with pytest.raises(ValueError, match="energy must be"):
        Work(energy="phi")
    sgd = sp.SGDSchedule([(sp.SGD(lr=0.1, batch_size=size, momentum=0.5), 2) for size in (1, 4)])
    with pytest.raises(ValueError, match="not known for SGD with momentum"):
        sp.simulate(ONE, sp.noises.Isotropic(1.0), sgd=sgd, n_particles=3, observers=[Work()])


def test_the_loss_includes_the_weight_decay():
    """First law with the recorded potential, which includes it too."""
    sgd = sp.SGD(lr=0.1, batch_size=2, weight_decay=0.5)
    cloud = sp.simulate(
        Driven(ONE, sp.landscapes.Linear([1.0]), sp.schedules.Linear(0.0, 0.3, 0.0, 1.0)), sp.noises.Isotropic(1.0),
        sgd=sgd, n_steps=10, n_particles=2000, start=1.0, observers=[Work()], save_at=2, record_potential=True,
    )  # fmt: skip
    gained = cloud["potential"].values[-1] - cloud["potential"].values[0]
    np.testing.assert_allclose(cloud["heat"] + cloud["work"], gained, rtol=1e-9)


def test_without_noise_there_is_no_reduced_work():
    cloud = sp.simulate(
        Driven(ONE, ONE, sp.schedules.Linear(0.0, 1.0, 0.0, 1.0)), temperature=0.0, dt=0.1, t1=1.0, n_particles=3,
        start=1.0, observers=[Work()], save_at=0,
    )  # fmt: skip
    assert np.isfinite(cloud["work"]).all()
    assert np.isnan(cloud["reduced_work"]).all()


STAGES = sp.SGDSchedule(
    [(sp.SGD(lr=0.1, batch_size=1), 3), (sp.SGD(lr=0.05, batch_size=1), 1), (sp.SGD(lr=0.05, batch_size=4), 5)]
)
BENT = sp.landscapes.Quadratic([[1.0, 0.3], [0.3, 2.0]])
LANDSCAPES = (BENT, 2 * BENT, sp.landscapes.Expression("x**4/4 + y**2/2 + 1"))


def staged(**options):
    energies = list(zip(LANDSCAPES, (3, 1, 5), strict=True))
    return sp.simulate(
        BENT, Full([[1.0, 0.5], [0.5, 1.0]]), sgd=STAGES, observers=[Work(energies)],
        **{"n_particles": 5000, "save_at": 10, "start": [0.5, 0.2], **options},
    )  # fmt: skip


def test_an_energy_for_each_stage():
    """The energies change with the stages, at the positions where the stages end."""
    cloud = staged()
    x, t = cloud["position"].values, [0.05, 0.025, 0.00625]
    f = [[energy.potential(x[step]) for energy in LANDSCAPES] for step in range(10)]
    changes = [(3, 0, 1), (4, 1, 2)]  # after that many steps from one stage to the next
    np.testing.assert_allclose(cloud["work"], sum(f[k][b] - f[k][a] for k, a, b in changes), rtol=1e-9, atol=1e-12)
    reduced = sum(f[k][b] / t[b] - f[k][a] / t[a] for k, a, b in changes)
    np.testing.assert_allclose(cloud["reduced_work"], reduced, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(cloud["heat"] + cloud["work"], f[9][2] - f[0][0], rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore:the average of exp:UserWarning")  # the parts do not start from equilibrium
def test_energies_of_stages_in_any_blocks_and_after_a_pause(monkeypatch):
    whole = staged()
    for options in ({"threads": 1, "block_size": 64}, {"threads": 2, "block_size": 4096}):
        assert_same_bits(staged(**options)["reduced_work"].values, whole["reduced_work"].values)
    monkeypatch.setattr("sgdphys.simulation.stretches.SECONDS", 1e-12)
    assert_same_bits(staged(block_size=128)["reduced_work"].values, whole["reduced_work"].values)
    monkeypatch.undo()
    first = staged(n_steps=3)
    later = staged(start=first, n_particles=None)
    parts = first["reduced_work"] + later["reduced_work"]
    np.testing.assert_allclose(parts, whole["reduced_work"], rtol=1e-9, atol=1e-12)


def test_energies_of_stages_that_do_not_fit_are_refused():
    for stages, message in (
        ([], "at least one pair"),
        ([ONE], "must be a pair"),
        ([(ONE, 0)], "number of steps of stage 0 must be a positive integer"),
        ([("x**2", 3)], "must be a landscape without a protocol"),
        ([(ONE, 3), (sp.landscapes.Quadratic(np.eye(2)), 3)], "equally many coordinates"),
    ):
        with pytest.raises(ValueError, match=message):
            Work(stages)
    run = {"temperature": 1.0, "dt": 0.1, "t1": 0.5}
    with pytest.raises(ValueError, match="must have 2 coordinates"):
        sp.simulate(BENT, observers=[Work([(ONE, 3)])], **run)
    with pytest.raises(ValueError, match="needs a landscape without a protocol"):
        sp.simulate(Driven(ONE, ONE, sp.schedules.Linear(0, 1, 0, 1)), observers=[Work([(ONE, 3)])], **run)


def test_stages_of_underdamped_motion_at_a_temperature_in_time():
    """Kinetic energy in every stage, and the temperature changes between the stages too."""
    temperature = sp.schedules.Linear(0.5, 0.8, 0.3, 1.5)
    cloud = sp.simulate(
        BENT, temperature=temperature, dt=0.1, n_steps=15, n_particles=300, start=[0.5, 0.2],
        integrator=sp.integrators.BAOAB(), observers=[Work(list(zip(LANDSCAPES, (4, 6, 5), strict=True)))],
    )  # fmt: skip
    time, x, v = (cloud[name].values for name in ("time", "position", "velocity"))
    t, stage = temperature(time), np.searchsorted([4, 10], np.arange(16), side="right")
    f = np.stack([[energy.potential(points) for points in x] for energy in LANDSCAPES])
    u = f + np.sum(v**2, axis=2) / 2
    reduced = sum(u[stage[k + 1], k + 1] / t[k + 1] - u[stage[k], k + 1] / t[k] for k in range(15))
    work = sum(u[stage[k + 1], k + 1] - u[stage[k], k + 1] for k in range(15))
    np.testing.assert_allclose(cloud["work"], work, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(cloud["reduced_work"], reduced, rtol=1e-9, atol=1e-12)
    gained = u[stage[15], 15] - u[0, 0]
    np.testing.assert_allclose(cloud["heat"] + cloud["work"], gained, rtol=1e-9, atol=1e-12)
