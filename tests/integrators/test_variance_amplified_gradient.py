"""SVAG with real minibatches and with Gaussian noise against its exact cumulants."""

import naive
import numpy as np
import pytest
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys.integrators import EulerMaruyama, Problem, StochasticGradient, VarianceAmplifiedGradient
from sgdphys.kernels.philox import key_of
from sgdphys.noises import Isotropic, Minibatch

# losses (x -+ 1)^2: curvature 2, gradient noise +-2 with equal chances
TWO_SAMPLES = sp.landscapes.LeastSquares(np.sqrt(2.0) * np.ones((2, 1)), np.sqrt(2.0) * np.array([1.0, -1.0]))
G1 = sp.landscapes.LeastSquares(np.array([[1.0], [2.0], [-1.0], [0.5]]), np.array([1.0, 1.0, 0.0, 2.0]))


def weights(substeps):
    return (1 + np.array([1, -1]) * np.sqrt(2 * substeps - 1)) / 2


@pytest.mark.parametrize(
    ("substeps", "golden", "kurtosis"), [(1, 0.25, -0.94), (2, 0.22222, -0.38), (8, 0.205128, -0.06)]
)
def test_variance_and_kurtosis_of_two_valued_noise(substeps, golden, kurtosis):
    """Physics.md 7 at lr = .2; excluded: the equation's .2, and weights (1 +- sqrt l)/2, of variance (1 + l)/2."""
    n, lr, h = 400_000, 0.2, 2.0
    cloud = sp.simulate(
        TWO_SAMPLES, sgd=sp.SGD(lr=lr, batch_size=1), integrator=VarianceAmplifiedGradient(substeps),
        n_steps=30 * substeps, n_particles=n, start=0.0, save_at=1,
    )  # fmt: skip
    x = cloud["position"].values[0, :, 0]
    keep = 1 - lr * h / substeps
    variance = lr * 4 / (h * (2 - lr * h / substeps))
    fourth = (lr / substeps) ** 4 * np.sum(weights(substeps) ** 4) * -32 / (1 - keep**4)
    assert golden == pytest.approx(variance, rel=3e-5)
    assert kurtosis == pytest.approx(fourth / variance**2, abs=6e-3)
    error = (x**2).std() / np.sqrt(n)
    assert_within((x**2).mean(), variance, error)
    assert_excluded((x**2).mean(), 0.2, error)
    if substeps > 1:
        assert_excluded((x**2).mean(), variance * (1 + substeps) / (2 * substeps), error)
    assert_within((x**4).mean() / (x**2).mean() ** 2 - 3, fourth / variance**2, np.sqrt(24 / n))
    assert_within((x**3).mean(), 0.0, (x**3).std() / np.sqrt(n))


@pytest.mark.parametrize("sampling", ["replacement", "without"])
def test_noise_that_grows_with_the_distance(sampling):
    """Data of G1, B = 2, l = 3, weight decay: S from its own recursion; SGD's variance is excluded."""
    n, lr, substeps, wd, batch = 150_000, 0.2, 3, 0.3, 2
    sgd = sp.SGD(lr=lr, batch_size=batch, weight_decay=wd, sampling=sampling)
    cloud = sp.simulate(
        G1, sgd=sgd, integrator=VarianceAmplifiedGradient(substeps), n_steps=100, n_particles=n, start=0.5, save_at=1
    )
    a, y = G1.inputs[:, 0], G1.targets
    h = np.mean(a**2)
    minimum = np.mean(a * y) / (h + wd)
    gradients = a * (a * minimum - y)
    factor = 1.0 if sampling == "replacement" else (4 - batch) / 3

    def variance_of(lr, amplification):
        noise = lr**2 * amplification * factor / batch
        # gradients and their slopes a^2 are correlated, but only the squares count: E x = 0 about the minimum
        return noise * np.var(gradients) / (1 - (1 - lr * (h + wd)) ** 2 - noise * np.var(a**2))

    deviation = cloud["position"].values[0, :, 0] - minimum
    error = (deviation**2).std() / np.sqrt(n)
    assert_within((deviation**2).mean(), variance_of(lr / substeps, substeps), error)
    assert_excluded((deviation**2).mean(), variance_of(lr, 1), error)


@pytest.mark.parametrize("sampling", ["replacement", "without"])
def test_paths_equal_the_naive_map(sampling):
    substeps, wd, batch, lr = 3, 0.2, 3, 0.3
    inputs, targets = np.random.default_rng(1).normal(size=(7, 2)), np.arange(7.0)
    sgd = sp.SGD(lr=lr, batch_size=batch, weight_decay=wd, sampling=sampling)
    cloud = sp.simulate(
        sp.landscapes.LeastSquares(inputs, targets), sgd=sgd, integrator=VarianceAmplifiedGradient(substeps),
        n_steps=12, n_particles=70, start=1.0, save_at=13, seed=5,
    )  # fmt: skip
    np.testing.assert_allclose(cloud["time"], np.arange(13) * lr / substeps)
    for particle in (0, 69):
        x = np.ones(2)
        for step in range(12):
            np.testing.assert_allclose(cloud["position"].values[step, particle], x, rtol=1e-12)
            combined = wd * x
            for which, weight in enumerate(weights(substeps)):
                drawn = [
                    naive.sample_index(key_of(5), particle, step, which, position, 7, sampling)
                    for position in range(batch)
                ]
                combined = combined + weight * (inputs[drawn] @ x - targets[drawn]) @ inputs[drawn] / batch
            x = x - lr / substeps * combined


def test_with_one_substep_it_is_sgd():
    """The same first minibatches, and the same Gaussian kicks."""
    sgd = sp.SGD(lr=0.1, batch_size=2, weight_decay=0.1)
    for landscape, noise in ((G1, Minibatch()), (sp.landscapes.DoubleWell(), Isotropic(0.5))):
        options = {"sgd": sgd, "n_steps": 20, "n_particles": 70, "start": 0.3, "save_at": 1}
        one, other = (
            sp.simulate(landscape, noise, **options, integrator=scheme)["position"].values
            for scheme in (VarianceAmplifiedGradient(1), StochasticGradient())
        )
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("scheme", [VarianceAmplifiedGradient(1), StochasticGradient()])
def test_each_stage_of_a_schedule_has_the_sampling_factor_of_its_batch(scheme):
    """Batches of 1, then 5 of 10 samples: with the factor of the first stage the kicks would be 1.34 times too long."""
    first, second = (sp.SGD(lr=0.1, batch_size=size, n_samples=10, sampling="without") for size in (1, 5))
    well, options = sp.landscapes.DoubleWell(), {"integrator": scheme, "seed": 2}
    whole = sp.simulate(
        well, Isotropic(0.5), sgd=sp.SGDSchedule([(first, 5), (second, 5)]), n_particles=70, start=0.3, **options
    )
    middle = sp.simulate(well, Isotropic(0.5), sgd=first, n_steps=5, n_particles=70, start=0.3, **options)
    end = sp.simulate(well, Isotropic(0.5), sgd=second, n_steps=5, start=middle, **options)
    np.testing.assert_allclose(whole["position"].values[-1], end["position"].values[-1], rtol=1e-12)


def test_with_gaussian_noise_it_is_euler_maruyama_in_smaller_steps():
    sgd, well = sp.SGD(lr=0.2, batch_size=2, n_samples=5, sampling="without"), sp.landscapes.DoubleWell()
    common = {"n_steps": 20, "n_particles": 100, "seed": 1}
    one = sp.simulate(well, Isotropic(0.5), sgd=sgd, integrator=VarianceAmplifiedGradient(4), **common)
    other = sp.simulate(
        well, Isotropic(0.5), temperature=sgd.effective_temperature, dt=0.05, integrator=EulerMaruyama(), **common
    )
    np.testing.assert_allclose(one["position"], other["position"], rtol=1e-12, atol=1e-14)


def test_what_it_does_not_solve_is_refused_by_name():
    def prepare(sgd, noise=Isotropic(1.0)):  # noqa: B008
        VarianceAmplifiedGradient(4).prepared(Problem(G1, noise, sgd))

    with pytest.raises(ValueError, match=r"VarianceAmplifiedGradient\(substeps=4\) needs sgd= .noise Isotropic"):
        prepare(None)
    with pytest.raises(ValueError, match=r"no momentum, got 0\.9"):
        prepare(sp.SGD(lr=0.1, batch_size=1, momentum=0.9))
    with pytest.raises(ValueError, match=r"got sampling='shuffle' \(noise Minibatch\)"):
        prepare(sp.SGD(lr=0.1, batch_size=1, n_samples=4, sampling="shuffle"), Minibatch())
    with pytest.raises(ValueError, match="substeps must be"):
        VarianceAmplifiedGradient(0)
