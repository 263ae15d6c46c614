import itertools

import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys.analysis import fastest_step, noise_moments, noise_scale
from sgdphys.analysis.gradient_noise_moments import gram_moments

SPREAD = np.linspace(2.0, 0.3, 20)  # standard deviations of the features
ONE_LINE = np.array([-1.0, -2.0, 0.0, -1.0])[:, None]  # gradients of x = (1, 2, -1, .5), y = (1, 1, 0, 2) at 0
CURVATURE = 1.5625  # mean of x^2


def linear_model(rng, n, weight):
    """Gradients x (x'w - e) of least squares with Gaussian features and targets e of variance 1."""
    inputs = rng.normal(size=(n, len(SPREAD))) * SPREAD
    return inputs * (inputs @ np.full(len(SPREAD), weight) - rng.normal(size=n))[:, None]


def exact_moments(weight):
    """E[x x' r^2] - G G' = S (1 + w'Sw) + G G' by Isserlis' theorem, with G = S w."""
    variances = SPREAD**2
    mean = variances * weight
    squared = np.sum(mean**2)
    return squared, variances.sum() * (1 + weight**2 * variances.sum()) + squared


@pytest.mark.parametrize(("n", "weight"), [(200, 0.1), (400, 0.2)])
def test_moments_have_no_bias_and_intervals_cover_over_200_seeds(n, weight):
    squared, trace = exact_moments(weight)
    found, plain, covered = [], [], 0
    for seed in range(200):
        g = linear_model(np.random.default_rng(seed), n, weight)
        moments, scale = noise_moments(g @ g.T), noise_scale(g @ g.T)
        found.append([float(moments["squared_mean_gradient"]), float(moments["noise_trace"])])
        plain.append(np.sum(g.mean(axis=0) ** 2))
        covered += float(scale["simple_noise_scale_low"]) <= trace / squared <= float(scale["simple_noise_scale_high"])
    assert_within(np.mean(found, axis=0), [squared, trace], np.std(found, axis=0) / 200**0.5, largest=3)
    assert 0.91 <= covered / 200 <= 0.99, covered
    if n == 200:
        assert_excluded(np.mean(plain), squared, np.std(plain) / 200**0.5)  # wrong: |mean g|^2 is high by tr C/n


def test_intervals_cover_in_a_finite_data_set():
    everything = linear_model(np.random.default_rng(0), 120, 0.3)
    truth = float(noise_scale(everything @ everything.T, n_population=120)["simple_noise_scale"])
    centred = everything - everything.mean(axis=0)
    assert truth == pytest.approx(np.mean(np.sum(centred**2, axis=1)) / np.sum(everything.mean(axis=0) ** 2))
    rng, inside = np.random.default_rng(1), 0
    for _ in range(200):
        g = everything[rng.permutation(120)[:60]]
        scale = noise_scale(g @ g.T, n_population=120)
        inside += float(scale["simple_noise_scale_low"]) <= truth <= float(scale["simple_noise_scale_high"])
    assert 0.91 <= inside / 200 <= 0.995, inside


def test_the_error_and_the_bias_of_the_ratio():
    squared, trace = exact_moments(0.15)
    rows = []
    for seed in range(400):
        g = linear_model(np.random.default_rng(seed), 200, 0.15)
        scale = noise_scale(g @ g.T)
        rows.append([float(scale["simple_noise_scale" + part]) for part in ("", "_bias", "_standard_error")])
    values, bias, errors = np.transpose(rows)
    error_of_mean = values.std() / 20
    assert_within(values.mean() - bias.mean(), trace / squared, error_of_mean)
    assert values.mean() - trace / squared > 3 * error_of_mean  # the ratio itself is high
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.2)


def test_correlated_moments_have_less_bias():
    # exponential gradients: Var |G|^2 = 4/n and Cov(tr C, |G|^2) = 4/n, so that the ratio 1 has no bias of order 1/n
    rng, rows = np.random.default_rng(5), []
    for _ in range(400):
        g = rng.exponential(size=(200, 1))
        scale = noise_scale(g @ g.T)
        rows.append([float(scale["simple_noise_scale"]), float(scale["simple_noise_scale_bias"])])
    value, bias = np.transpose(rows)
    assert_within(value.mean(), 1.0, value.std() / 20)
    assert abs(bias.mean()) < 0.25 * 4 / 200  # wrong: R Var/|G|^4 alone, 4/n


@pytest.mark.parametrize(("level", "half_width"), [(0.6827, 1.0), (0.95, 1.96)])
def test_wide_intervals_are_as_wide_as_their_level(level, half_width):
    g = linear_model(np.random.default_rng(6), 1500, 0.5)
    scale = noise_scale(g @ g.T, level=level)
    width = float(scale["simple_noise_scale_high"] - scale["simple_noise_scale_low"]) / 2
    assert width == pytest.approx(half_width * float(scale["simple_noise_scale_standard_error"]), rel=0.05)


def test_a_gradient_lost_in_noise_is_not_resolved():
    rng, resolved = np.random.default_rng(0), 0
    for _ in range(300):
        g = rng.normal(size=(40, 30))
        scale = noise_scale(g @ g.T)
        resolved += bool(scale["simple_noise_scale_resolved"])
        if not scale["simple_noise_scale_resolved"]:
            assert np.isnan(scale["simple_noise_scale"]) and np.isnan(scale["critical_batch_size"])
            assert scale["simple_noise_scale_high"] == np.inf
            assert 0 < scale["simple_noise_scale_low"] < np.inf
    assert resolved / 300 < 0.06  # 2.5 percent if |G|^2 were Gaussian


def test_gradients_without_noise():
    g = np.ones((5, 3))
    scale = noise_scale(g @ g.T)
    for part in ("", "_standard_error", "_bias", "_low", "_high"):
        assert float(scale[f"simple_noise_scale{part}"]) == pytest.approx(0.0, abs=1e-12)
    assert bool(scale["simple_noise_scale_resolved"])


def test_a_data_set_of_four_samples():
    # G = -1, tr C = 1/2; the mean over all ordered draws of a batch of 3 and one of 1 gives the same
    gram = ONE_LINE @ ONE_LINE.T
    scale = noise_scale(gram, n_population=4, curvature_gram=CURVATURE * gram)
    assert float(scale["simple_noise_scale"]) == pytest.approx(0.5)
    assert float(scale["curvature_noise_scale"]) == pytest.approx(0.5)  # one direction
    assert scale.attrs["critical_batch_size_from"] == "curvature_noise_scale"
    draws = [ONE_LINE[list(rows), 0] for rows in itertools.product(range(4), repeat=3)]
    small = np.mean([draw[0] ** 2 for draw in draws])
    big = np.mean([draw.mean() ** 2 for draw in draws])
    assert (3 * big - small) / 2 == pytest.approx(1.0)
    assert (small - big) / (1 - 1 / 3) == pytest.approx(0.5)
    # wrong: the ratio of plain moments, averaged
    plain = np.mean([draw.var(ddof=1) / draw.mean() ** 2 for draw in draws if draw.mean()])
    assert abs(plain - 0.5) > 0.03


def test_the_fastest_step_is_the_best_of_all_steps():
    gram = ONE_LINE @ ONE_LINE.T
    sizes = [1, 2, 4, np.inf]
    best = fastest_step(gram, CURVATURE * gram, sizes, n_population=4)
    for size in sizes[:3]:
        batches = np.array([ONE_LINE[list(rows), 0].mean() for rows in itertools.product(range(4), repeat=size)])
        lrs = np.linspace(0.01, 1.2, 2001)[:, None]
        decrease = np.mean(-(lrs * batches) * 1.0 - CURVATURE * (lrs * batches) ** 2 / 2, axis=1)  # G = -1
        chosen = best.sel(batch_size=size)
        assert float(chosen["largest_loss_decrease"]) == pytest.approx(decrease.max(), rel=1e-5)
        assert float(chosen["fastest_lr"]) == pytest.approx(lrs[decrease.argmax(), 0], abs=6e-4)
    top = float(best["fastest_lr"].sel(batch_size=np.inf))
    assert top == pytest.approx(1 / CURVATURE)
    np.testing.assert_allclose(best["fastest_lr"], top / (1 + 0.5 / np.array(sizes)))
    assert np.all(best["fastest_lr_standard_error"] == 0)


def test_curvature_weighs_the_directions():
    rng = np.random.default_rng(3)
    hessian, mean, spread = np.diag([5.0, 1.0, 0.1]), np.array([0.2, 0.5, 1.0]), np.array([1.0, 2.0, 0.5])
    truth = np.sum(np.diag(hessian) * spread**2) / (mean @ hessian @ mean)
    rate = mean @ mean / (mean @ hessian @ mean + np.sum(np.diag(hessian) * spread**2) / 16)
    n, repeats, inside, rates, errors = 300, 200, 0, [], []
    for _ in range(repeats):
        g = mean + spread * rng.normal(size=(n, 3))
        scale = noise_scale(g @ g.T, curvature_gram=g @ hessian @ g.T)
        step = fastest_step(g @ g.T, g @ hessian @ g.T, 16)
        inside += float(scale["curvature_noise_scale_low"]) <= truth <= float(scale["curvature_noise_scale_high"])
        rates.append(float(step["fastest_lr"][0]))
        errors.append(float(step["fastest_lr_standard_error"][0]))
    assert 0.91 <= inside / repeats <= 0.99, inside
    assert_within(np.mean(rates), rate, np.std(rates) / repeats**0.5)
    assert np.mean(errors) == pytest.approx(np.std(rates), rel=0.2)
    assert np.mean(rates) == pytest.approx(rate, rel=0.02)
    assert gram_moments(g @ hessian @ g.T, None)[0].trace == pytest.approx(np.trace(hessian @ np.cov(g.T)))


def test_curvature_may_have_either_sign():
    rng = np.random.default_rng(4)
    hessian, mean, spread = np.array([2.0, -1.0]), np.array([1.0, 0.2]), np.array([0.1, 1.0])
    g = mean + spread * rng.normal(size=(2000, 2))
    found = noise_scale(g @ g.T, curvature_gram=(g * hessian) @ g.T)
    truth = np.sum(hessian * spread**2) / np.sum(hessian * mean**2)  # -.5: noise lowers the loss
    assert found["curvature_noise_scale_low"] < truth < found["curvature_noise_scale_high"] < 0
    assert_within(found["curvature_noise_scale"], truth, found["curvature_noise_scale_standard_error"])
    downwards = noise_scale(g @ g.T, curvature_gram=-(g * hessian) @ g.T)
    assert not downwards["curvature_noise_scale_resolved"] and np.isnan(downwards["critical_batch_size"])
    assert downwards["simple_noise_scale_resolved"]
    assert np.isnan(fastest_step(g @ g.T, -(g * hessian) @ g.T, np.inf)["fastest_lr"][0])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"level": 1.0}, "level must lie between 0 and 1"),
        ({"curvature_gram": np.eye(5)}, "of the same samples"),
        ({"n_population": 3}, "at least the number of samples"),
    ],
)
def test_refusals(settings, says):
    with pytest.raises(ValueError, match=says):
        noise_scale(np.eye(4), **settings)
    with pytest.raises(ValueError, match="negative entry"):
        noise_scale(-np.eye(4), curvature_gram=-np.eye(4))
    assert np.isinf(
        noise_scale(np.eye(4), curvature_gram=-np.eye(4))["curvature_noise_scale_high"]
    )  # H may be indefinite


@pytest.mark.parametrize(("curvature", "size", "says"), [(None, 1, "got None"), (np.eye(4), [0], "must be positive")])
def test_refusals_of_steps(curvature, size, says):
    with pytest.raises(ValueError, match=says):
        fastest_step(np.eye(4), curvature, size)
