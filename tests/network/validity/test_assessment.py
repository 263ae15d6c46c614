"""The verdict on networks whose stationary state is known exactly, and on the digits classifier of physics.md R."""

import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within

from sgdphys import SGD, theory
from sgdphys.network import Network
from sgdphys.network.validity import table
from sgdphys.network.validity.judgements import errors_of, judge


def half_square(output, target):
    return 0.5 * (output[:, 0] - target) ** 2


def linear(inputs, targets):
    """Return least squares of one output at its minimum."""
    return Network(torch.nn.Linear(inputs.shape[1], 1, bias=False), half_square, (inputs, targets)).minimum()


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 2)) @ np.diag([1.0, 0.7])
    return linear(inputs, inputs @ [1.0, -1.0] + 0.5 * rng.normal(size=40))


@pytest.fixture(scope="module")
def constant_noise():
    """Return f = (x - g)^2 over g = +-1: curvature 2, gradient noise of variance 4 everywhere (physics.md 7)."""
    inputs = np.full((10, 1), 2**0.5)
    return linear(inputs, inputs[:, 0] * np.tile([1.0, -1.0], 5))


def row(result, key):
    """Return value, standard error and judgement of a row."""
    one = result.sel(row=key)
    return float(one["row_value"]), float(one["row_value_standard_error"]), str(one["judgement"].item())


@pytest.fixture(scope="module")
def cold(regression):
    return regression.validity(SGD(0.05, 4), n_replicas=800, svag=(), progress=False)


def test_cold_least_squares_is_langevin_at_its_temperature(regression, cold):
    value, error, judgement = row(cold, "effective_temperature")
    assert judgement == "agrees"
    assert_excluded(value, 2 * 0.05 / 8, error)  # lr/B for lr/(2B)
    assert cold.attrs["verdict"].startswith("Langevin at T = 0.00625 within ")
    exact = theory.exact_sgd_covariance(
        regression.objective.inputs.numpy(), regression.objective.targets.numpy(), SGD(0.05, 4)
    )
    top = regression.curvature().top(2)["eigenvector"].values
    variances = np.diag(top.T @ exact["stationary_covariance"].values @ top)
    assert_within(cold["variance_real"], variances, cold["variance_real_standard_error"])
    value, error, judgement = row(cold, "fluctuation_dissipation")
    assert_within(value, 1.0, error)
    assert row(cold, "critical_batch_size")[0] == pytest.approx(4 / row(cold, "gradient_over_noise")[0], rel=1e-9)


def test_gradient_and_noise_at_equilibrium_are_those_of_the_exact_covariance(regression):
    """G = tr(H S H); N = tr of the position's mean noise over B, from the exact covariance of least squares."""
    sgd = SGD(0.2, 2)
    result = regression.validity(sgd, n_replicas=1500, svag=(), progress=False)
    X, y = regression.objective.inputs.numpy(), regression.objective.targets.numpy()
    exact = theory.exact_sgd_covariance(X, y, sgd)
    H, S = X.T @ X / len(X), exact["stationary_covariance"].values
    mean_square = np.trace(H @ S @ H)
    noise = np.trace(exact["velocity_covariance"].values) - mean_square
    value, error, _ = row(result, "noise_growth")
    residuals = y - X @ regression.parameters
    at_minimum = np.mean(residuals**2 * np.sum(X**2, axis=1))
    assert_within(value, 2 * noise / at_minimum, error)
    assert_excluded(value, 1.0, error)
    value, error, _ = row(result, "gradient_over_noise")
    assert_within(value, mean_square / noise, error)
    assert_excluded(value, 2 * mean_square / noise, error)


def test_the_svag_scan_of_a_constant_noise(constant_noise):
    """Variance over that of the equation is 1/(1 - lr h/(2l)): 1.25, 1.1111, 1.0526 for l = 1, 2, 4 at lr h = .4."""
    result = constant_noise.validity(SGD(0.2, 1), n_replicas=1000, svag=(1, 2, 4), progress=False)
    exact = 1 / (1 - 0.2 / np.array([1, 2, 4]))
    np.testing.assert_allclose(result["refined_variance_ratio_predicted"], exact, rtol=1e-9)
    ratios, errors = (result[f"refined_variance_ratio{end}"].values for end in ("", "_standard_error"))
    assert_within(ratios, exact, errors)
    assert ratios[0] - 1 > 10 * errors[0]
    value, error, judgement = row(result, "variance_amplified")
    assert judgement == "disagrees"
    assert_within(value, 0.25, error, largest=5.0)  # a straight line in 1/l leaves out the curvature of the scan
    assert row(result, "variance")[2] == "agrees"
    assert "not as its Langevin limit" in result.attrs["verdict"]
    for key, reason in (("potential_distance", "one direction"), ("tail_index", "noise of few values")):
        assert str(result.sel(row=key)["row_reason"].item()) == reason


def test_shuffled_epochs_are_judged_by_their_own_theory(constant_noise):
    sgd = SGD(0.1, 1, sampling="shuffle")
    result = constant_noise.validity(sgd, n_replicas=1000, n_steps=150, progress=False)
    value, error, judgement = row(result, "variance")
    assert_within(value, 1.0, error)
    assert judgement == "agrees"
    for key in ("effective_temperature", "fluctuation_dissipation", "gradient_over_noise", "variance_amplified"):
        assert row(result, key)[2] == "does not apply"
        assert str(result.sel(row=key)["row_reason"].item()) == "epoch shuffling"
    assert "no temperature" in result.attrs["verdict"]
    assert not result.sizes["batch_size"]


def test_momentum_and_distinct_samples(constant_noise):
    sgd = SGD(0.05, 4, momentum=0.6, sampling="without")
    result = constant_noise.validity(sgd, n_replicas=1000, progress=False)
    assert float(result.sel(row="effective_temperature")["row_expected"]) == pytest.approx(0.05 / 8 / 0.4 * 6 / 9)
    for key in ("variance", "fluctuation_dissipation", "noise_growth"):
        value, error, _ = row(result, key)
        assert_within(value, 1.0, error)
    assert row(result, "largest_discretisation")[0] == pytest.approx(row(result, "discretisation")[0])
    assert str(result.sel(row="variance_amplified")["row_reason"].item()) == "momentum"
    expected = sgd.__class__(0.05, 4, momentum=0.6, sampling="without", n_samples=10).equivalent(batch_size=2).lr
    assert float(result["equivalent_lr"].sel(batch_size=2)) == pytest.approx(expected)
    assert float(result["equivalent_stiffness"].sel(batch_size=2)) == pytest.approx(2 * expected)


def test_noise_that_grows_is_no_anharmonic_loss(line):
    """physics.md G1 at lr .4, B = 1: variance .11817251, noise grown as much, in a quadratic loss."""
    result = line().minimum().validity(SGD(0.4, 1), n_replicas=3000, svag=(), progress=False)
    ratio = 0.11817251 / (0.4**2 * 0.3896 / (1 - 0.375**2))
    for key in ("variance", "noise_growth"):
        value, error, judgement = row(result, key)
        assert_within(value, ratio, error)
        assert_excluded(value, 1.0, error)
        assert judgement == "disagrees"
    assert "hotter than the quadratic theory: its noise is 1." in result.attrs["verdict"]


def test_few_replicas_are_no_certainty(regression):
    result = regression.validity(SGD(0.05, 4), n_replicas=4, svag=(), progress=False)
    assert row(result, "variance")[2] == "not resolved"
    assert result.attrs["verdict"].startswith("stationary (not resolved); temperature not resolved")
    value, error, _ = row(result, "potential_distance")
    assert row(result, "potential_distance")[2] == judge(value, error, 0.0, 0.1, errors=errors_of(4))


def test_a_run_that_is_too_short_is_not_judged(regression):
    result = regression.validity(SGD(0.01, 4), n_steps=60, n_replicas=50, svag=(), progress=False)
    assert result.attrs["verdict"].startswith("NOT EQUILIBRATED: 20 steps before measuring")
    for key in ("variance", "effective_temperature", "fluctuation_dissipation", "potential_distance"):
        assert row(result, key)[2] == "not resolved"


def test_beyond_the_stability_limit_nothing_is_run(regression):
    result = regression.validity(SGD(5.0, 4), progress=False)
    assert result.attrs["verdict"].startswith("not stationary: lr lambda_max = ")
    assert "variance_real" not in result
    assert "verdict: not stationary" in table(result)


def test_away_from_a_minimum_it_warns_and_measures(classes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
    network = Network(model, torch.nn.CrossEntropyLoss(), classes, weight_decay=0.02)
    with pytest.warns(RuntimeWarning, match="not at a minimum"):
        result = network.validity(SGD(0.1, 4), rank=2, n_replicas=10, n_steps=30, svag=(), progress=False)
    assert result.attrs["verdict"].endswith("the start was no minimum") or "NOT EQUILIBRATED" in result.attrs["verdict"]
    assert row(result, "minimum")[2] == "disagrees"


def test_the_table_has_a_line_for_each_row(cold):
    lines = table(cold).splitlines()
    assert lines[0].split()[0] == "quantity"
    assert len(lines) == 1 + cold.sizes["row"] + 2
    assert lines[1].startswith("T = lr/(2B)  [x^2/loss]")
    assert lines[-2].startswith("same temperature, lr/batch size (lr lambda_max): 0.0125/1 (")
    assert lines[-1] == f"verdict: {cold.attrs['verdict']}"
    with pytest.raises(ValueError, match=r"result of network\.validity"):
        table(cold.drop_vars("judgement"))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"svag": (2, 4)}, "svag must hold 1 and a larger number"),
        ({"svag": (1,)}, "svag must hold 1 and a larger number"),
        ({"tolerance": 1.5}, "tolerance must be below 1"),
        ({"n_replicas": 2}, "n_replicas must be at least 4"),
        ({"n_steps": 5}, "n_steps must be at least 16"),
        ({"rank": 0}, "rank must be a positive integer"),
    ],
)
def test_refusals(regression, options, match):
    with pytest.raises(ValueError, match=match):
        regression.validity(SGD(0.1, 4), **options)


def test_settings_that_do_not_fit_the_data_are_refused(regression):
    with pytest.raises(ValueError, match=r"batch_size must not exceed .* 41 > 40"):
        regression.validity(SGD(0.1, 41))
    with pytest.raises(ValueError, match="a batch is the whole data set"):
        regression.validity(SGD(0.1, 40, sampling="without"))


@pytest.mark.slow
def test_digits_are_langevin_when_cold_and_noisier_when_hot(digits):
    """Physics.md R: mean ratios 1.015 at (.05, 32) and 1.226 at (.5, 32), each to about .015."""
    cold = digits.validity(SGD(0.05, 32), n_replicas=100, svag=(), progress=False)
    value, error, judgement = row(cold, "variance")
    assert_within(value, 1.015, np.hypot(error, 0.015))
    assert judgement == "agrees"
    assert cold.attrs["verdict"].startswith("Langevin at T = 0.000781 within ")
    hot = digits.validity(SGD(0.5, 32), svag=(), progress=False)
    value, error, judgement = row(hot, "variance")
    assert_within(value, 1.226, np.hypot(error, 0.015))
    assert judgement == "disagrees"
    assert (
        "hotter than the quadratic theory on the average of 20 of 910 directions: its noise is 1."
        in hot.attrs["verdict"]
    )  # not anharmonic, noise grows
    assert row(hot, "participation_ratio")[0] == pytest.approx(10.9, abs=0.1)


def test_replicas_that_leave_are_no_stationary_state():
    """One of four features is 4: lr h = 1.8 < 2, but a step multiplies by -6.2 or 1, and log|x| grows by .46 a step."""
    inputs = np.array([[0.0], [0.0], [0.0], [4.0]])
    network = Network(torch.nn.Linear(1, 1, bias=False), half_square, (inputs, inputs[:, 0]))
    with torch.no_grad():
        network = network.at(np.array([1.0 + 1e-8]))
    with pytest.warns(RuntimeWarning, match="not at a minimum"):
        result = network.validity(SGD(0.45, 1), n_replicas=10, n_steps=3000, svag=(), progress=False)
    assert float(result.sel(row="diverged")["row_value"]) == 1.0
    assert result.attrs["verdict"].startswith("not stationary: replicas left for infinity")
    assert "variance_real" not in result


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_verdict(classes):
    def make(device):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
        network = Network(model, torch.nn.CrossEntropyLoss(), classes, weight_decay=0.05, device=device).minimum()
        return network.validity(SGD(0.1, 4), rank=5, n_replicas=40, n_steps=120, svag=(1, 2), progress=False)

    here, there = make("cpu"), make("cuda")
    assert here.attrs["verdict"] == there.attrs["verdict"]
    np.testing.assert_allclose(here["variance_real"], there["variance_real"], rtol=1e-6)
