import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from sgdphys import SGD, theory


def regression(dim=5, n_samples=1000):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(n_samples, dim)) @ rng.normal(size=(dim, dim))
    residuals = rng.normal(size=n_samples)
    H = inputs.T @ inputs / n_samples
    gradients = inputs * residuals[:, None]
    return H, np.cov(gradients, rowvar=False, bias=True)


@pytest.mark.parametrize("form", [{}, {"momentum": 0.8}, {"sampling": "without", "n_samples": 1000}])
def test_the_optimum_of_small_steps(form):
    H, C = regression()

    def divergence(lr):
        return theory.posterior_divergence(H, C, SGD(lr, 10, **form), 1000, "lyapunov").item()

    best = theory.optimal_lr(H, C, SGD(0.1, 10, **form), 1000, "lyapunov").item()
    factor = 990 / 999 if "sampling" in form else 1
    assert best == pytest.approx(2 * 10 * 5 * (1 - form.get("momentum", 0)) / (1000 * np.trace(C) * factor))
    # (d/2) (1 - ln 2) at twice the optimum, (d/2) (ln 2 - 1/2) at half of it
    assert divergence(2 * best) - divergence(best) == pytest.approx(0.1534 * 5, abs=3e-4)
    assert divergence(best / 2) - divergence(best) == pytest.approx(0.0966 * 5, abs=3e-4)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_the_map_has_its_optimum_lower(momentum):
    H, C = regression()
    sgd = SGD(0.1, 500, momentum=momentum)
    best, limit = (theory.optimal_lr(H, C, sgd, 1000, mode).item() for mode in ("discrete", "lyapunov"))
    assert best < 0.99 * limit

    def divergence(lr):
        return theory.posterior_divergence(H, C, SGD(lr, 500, momentum=momentum), 1000).item()

    scanned = minimize_scalar(divergence, bounds=(best / 4, 1.2 * best), options={"xatol": 1e-10}).x
    assert best == pytest.approx(scanned, rel=1e-5)


def test_the_divergence_of_two_gaussians_on_a_line():
    sgd = SGD(0.1, 4)
    ratio = 50 * 2.0 * theory.stationary_covariance([[2.0]], [[0.3]], sgd)["stationary_covariance"].item()
    result = theory.posterior_divergence([[2.0]], [[0.3]], sgd, 50)
    assert result.item() == pytest.approx((ratio - 1 - np.log(ratio)) / 2)


@pytest.mark.parametrize(
    ("noise", "options", "message"),
    [
        (np.eye(2), {"n_samples": None}, "give n_samples="),
        (np.eye(2), {"mode": "ito"}, "mode must be 'lyapunov' or 'discrete'"),
        (np.diag([1.0, 0.0]), {}, "no density: the noise leaves directions out"),
    ],
)
def test_what_is_no_sampler_is_refused(noise, options, message):
    for function in (theory.posterior_divergence, theory.optimal_lr):
        with pytest.raises(ValueError, match=message):
            function(np.eye(2), noise, SGD(0.1, 1), **({"n_samples": 10} | options))


def test_no_noise_has_no_optimum():
    with pytest.raises(ValueError, match="without noise no learning rate"):
        theory.optimal_lr(np.eye(2), np.zeros((2, 2)), SGD(0.1, 1), 10)
