import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from least_squares_data import twenty_samples

import sgdphys as sp
from sgdphys import SGD, analysis, theory

DATA = twenty_samples()
SGD_WITH_MEMORY = SGD(0.05, 4, momentum=0.8)
STEPS = np.arange(1000, 1401)
MINIMUM = np.linalg.lstsq(DATA.inputs, DATA.targets, rcond=None)[0]


def stationary_run(sgd, n_particles=2000, steps=STEPS, seed=0):
    """Return a run of least squares from its minimum; at step 1000 it is stationary, the slowest mode takes 60."""
    length = {"n_steps": int(steps[-1]), "save_at": sgd.lr * steps}
    return sp.simulate(DATA, sgd=sgd, n_particles=n_particles, start=MINIMUM, seed=seed, **length)


@pytest.fixture(scope="module")
def with_memory():
    return stationary_run(SGD_WITH_MEMORY)


@pytest.fixture(scope="module")
def without_memory():
    return stationary_run(SGD(0.1, 2))


def hessian():
    return DATA.inputs.T @ DATA.inputs / len(DATA.inputs)


def test_both_sides_are_those_of_the_exact_covariance_with_momentum(with_memory):
    """physics.md 5: OL = OR = .0976655 for mu = .8, B = 4, lr = .05; here within one percent of it and 4 errors."""
    result = analysis.fluctuation_dissipation(with_memory, DATA.gradient, origin=MINIMUM)
    for name in ("dissipation_term", "fluctuation_term"):
        assert_within(result[name], 0.0976655, result[f"{name}_standard_error"])
        assert result[name].item() == pytest.approx(0.0976655, rel=0.01)
    ratio, error = result["fluctuation_dissipation_ratio"], result["fluctuation_dissipation_ratio_standard_error"]
    assert_within(ratio, 1.0, error)
    assert ratio.item() == pytest.approx(1.0, abs=0.01)
    assert_excluded(ratio, (1 + 0.8) / (1 - 0.8), error)  # (1 - mu) in place of (1 + mu)
    assert result.attrs["tests"] == "stationary, not thermal"


def test_the_exact_covariance_obeys_the_first_relation():
    stationary = theory.exact_sgd_covariance(DATA.inputs, DATA.targets, SGD_WITH_MEMORY)
    left = np.sum(hessian() * stationary["stationary_covariance"].values)
    gradient_mean_square = np.trace(stationary["velocity_covariance"].values)
    assert left == pytest.approx(0.0976655, rel=1e-5)
    assert 0.025 * 1.8 * gradient_mean_square == pytest.approx(left, rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_it_holds_around_any_origin(with_memory, without_memory, shift):
    for run in (with_memory, without_memory):
        result = analysis.fluctuation_dissipation(run, DATA.gradient, origin=np.full(3, shift))
        ratio, error = result["fluctuation_dissipation_ratio"], result["fluctuation_dissipation_ratio_standard_error"]
        assert_within(ratio, 1.0, error)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_the_difference_telescopes_with_the_gradients_of_the_batches(momentum):
    sgd = SGD(0.05, 4, momentum=momentum)
    run = stationary_run(sgd, n_particles=5, steps=np.arange(0, 301))
    result = analysis.fluctuation_dissipation(run)
    squares = np.sum(run["position"].values ** 2, axis=-1)
    ends = squares[-1] - squares[0]
    if momentum:
        before = run["position"].values + sgd.lr * run["velocity"].values  # one step earlier
        ends -= momentum * (squares[-2] - np.sum(before[0] ** 2, axis=-1))
    exact = -ends.mean() / (2 * sgd.lr * 300)
    assert abs(exact) > 1e-6
    difference = (result["dissipation_term"] - result["fluctuation_term"]).item()
    assert difference == pytest.approx(exact, abs=1e-10)


def test_the_second_relation_is_exact_for_a_quadratic(without_memory, with_memory):
    result = analysis.fluctuation_dissipation(without_memory, DATA.gradient, hessian=hessian())
    assert_within(result["squared_gradient_term"], 0.3985382, result["squared_gradient_term_standard_error"])
    assert_within(result["curved_fluctuation_term"], 0.3985382, result["curved_fluctuation_term_standard_error"])
    product = analysis.fluctuation_dissipation(with_memory, DATA.gradient, hessian=lambda columns: hessian() @ columns)
    error = product["second_fluctuation_dissipation_ratio_standard_error"]
    assert_within(product["second_fluctuation_dissipation_ratio"], 1.0, error)


def test_nesterov_and_dampening_have_their_terms():
    for sgd in (SGD(0.05, 4, momentum=0.8, nesterov=True), SGD(0.1, 4, momentum=0.8, dampening=0.5)):
        run = stationary_run(sgd, n_particles=1000)
        for gradient, matrix in ((DATA.gradient, hessian()), (None, None)):
            result = analysis.fluctuation_dissipation(run, gradient, hessian=matrix, origin=MINIMUM)
            for name in (name for name in result if str(name).endswith("ratio")):
                assert_within(result[name], 1.0, result[f"{name}_standard_error"])
                assert result[f"{name}_standard_error"] < 0.01


def test_a_run_on_its_way_is_told_from_a_stationary_one():
    run = stationary_run(SGD(0.01, 4), steps=np.arange(0, 41))
    result = analysis.fluctuation_dissipation(run, DATA.gradient, origin=MINIMUM)
    ratio, error = result["fluctuation_dissipation_ratio"], result["fluctuation_dissipation_ratio_standard_error"]
    assert_excluded(ratio, 1.0, error)


def test_along_directions_and_after_a_time(with_memory):
    basis = np.eye(3)[:, :1]
    gradients = np.stack([DATA.gradient(points) for points in with_memory["position"].values])
    by_values = analysis.fluctuation_dissipation(with_memory, gradients, basis=basis, after=60.0)
    assert by_values.attrs["frames"] == 201
    name = "fluctuation_dissipation_ratio"
    assert_within(by_values[name], 1.0, by_values[f"{name}_standard_error"])


def test_refusals(with_memory, without_memory):
    with pytest.raises(ValueError, match="no frame counts"):
        analysis.fluctuation_dissipation(without_memory.isel(time=slice(None, None, 2)))
    with pytest.raises(ValueError, match="need the velocities"):
        analysis.fluctuation_dissipation(with_memory.drop_vars("velocity"))
    with pytest.raises(ValueError, match=r"origin must have shape \(3,\)"):
        analysis.fluctuation_dissipation(with_memory, DATA.gradient, origin=[0.0, 1.0])
    with pytest.raises(ValueError, match="no constant settings of SGD on record"):
        analysis.fluctuation_dissipation(with_memory.assign_attrs(configuration="{}"))
    with pytest.raises(ValueError, match="give gradient= with hessian="):
        analysis.fluctuation_dissipation(with_memory, hessian=hessian())
    with pytest.raises(ValueError, match="basis must have the shape"):
        analysis.fluctuation_dissipation(with_memory, DATA.gradient, basis=np.eye(2))
