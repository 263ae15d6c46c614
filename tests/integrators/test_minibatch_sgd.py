"""SGD on real minibatches, by particles: exact discrete covariances, shuffled epochs, fluctuation relations."""

import naive
import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within
from least_squares_data import FOUR_SAMPLES, constant_noise, like_fresh_gaussian_data, twenty_samples

import sgdphys as sp
from sgdphys.kernels.philox import key_of
from sgdphys.noises import Isotropic

TWENTY = twenty_samples()


def stationary_cloud(landscape, sgd, n_particles, n_steps, **options):
    options = {"start": 0.0, "save_at": 1} | options
    return sp.simulate(landscape, sgd=sgd, n_particles=n_particles, n_steps=n_steps, **options)


def variance(values):
    """Return the variance of (particle, ...) and its standard error, from the fourth moment."""
    squares = (values - values.mean(axis=0)) ** 2
    return squares.mean(axis=0), squares.std(axis=0) / np.sqrt(len(values))


@pytest.mark.parametrize(
    ("lr", "batch", "sampling", "exact"),
    [
        (0.05, 1, "replacement", 0.00671905),
        (0.05, 2, "replacement", 0.00330049),
        (0.2, 1, "replacement", 0.03506948),
        (0.2, 2, "replacement", 0.01603756),
        (0.4, 1, "replacement", 0.11817251),
        (0.4, 2, "replacement", 0.04494709),
        (0.05, 2, "without", 0.00218752),
        (0.2, 2, "without", 0.01039583),
        (0.4, 2, "without", 0.02775114),
    ],
)
def test_four_samples(lr, batch, sampling, exact):
    """Physics.md G1; excluded: the equation's variance, and the factor 1 - B/N (or N/(N - 1) in C)."""
    cloud = stationary_cloud(FOUR_SAMPLES, sp.SGD(lr=lr, batch_size=batch, sampling=sampling), 200_000, 100)
    estimate, error = variance(cloud["position"].values[0, :, 0])
    factor = 1.0 if sampling == "replacement" else 2 / 3
    assert_within(estimate, exact, error)
    assert_excluded(estimate, factor * lr * 0.3896 / (2 * batch * 1.5625), error)
    assert_excluded(estimate, exact * (4 / 3 if sampling == "replacement" else 3 / 4), error)
    assert_within(cloud["position"].values.mean(), 0.64, np.sqrt(estimate / 200_000))


def test_the_noise_of_the_minimum_alone_is_excluded():
    """.0295519 at lr = .2, B = 1: the noise grows with the distance from the minimum."""
    estimate, error = variance(
        stationary_cloud(FOUR_SAMPLES, sp.SGD(lr=0.2, batch_size=1), 400_000, 60)["position"].values[0, :, 0]
    )
    assert_excluded(estimate, 0.0295519, error)
    assert_excluded(estimate, 0.0249344, error)


@pytest.mark.parametrize(
    ("sgd", "exact"),
    [
        (sp.SGD(lr=0.1, batch_size=2), [0.01638218, 0.01363926, 0.01820276]),
        (sp.SGD(lr=0.05, batch_size=4, momentum=0.8), [0.01701764, 0.01671381, 0.02275092]),
    ],
)
def test_twenty_samples_in_three_coordinates(sgd, exact):
    """Physics.md G6, all entries; the Lyapunov equation is far off in the stiff direction."""
    n = 200_000
    cloud = stationary_cloud(TWENTY, sgd, n, 400)
    theory = sp.theory.exact_sgd_covariance(TWENTY.inputs, TWENTY.targets, sgd)
    np.testing.assert_allclose(np.diag(theory["stationary_covariance"]), exact, rtol=1e-6)
    for name in ("position", "velocity")[: 2 if sgd.momentum else 1]:
        values = cloud[name].values[0] - cloud[name].values[0].mean(axis=0)
        products = values[:, :, np.newaxis] * values[:, np.newaxis]
        wanted = theory["stationary_covariance" if name == "position" else "velocity_covariance"].values
        assert_within(products.mean(axis=0), wanted, products.std(axis=0) / np.sqrt(n))
    estimate, error = variance(cloud["position"].values[0])
    assert_excluded(estimate[0], theory["lyapunov"].values[0, 0], error[0])


@pytest.mark.parametrize("sampling", ["replacement", "without"])
def test_weight_decay(sampling):
    """A ridge: minimum and covariance of the loss with (wd/2) |x|^2; those without it are excluded."""
    n, plain = 100_000, sp.SGD(lr=0.1, batch_size=5, sampling=sampling, n_samples=20)
    sgd = sp.SGD(lr=0.1, batch_size=5, sampling=sampling, weight_decay=0.5, n_samples=20)
    ridge, bare = (sp.theory.exact_sgd_covariance(TWENTY.inputs, TWENTY.targets, each) for each in (sgd, plain))
    cloud = stationary_cloud(TWENTY, sgd, n, 150)["position"].values[0]
    estimate, error = variance(cloud)
    assert_within(estimate, np.diag(ridge["stationary_covariance"]), error)
    assert_excluded(estimate[2], bare["stationary_covariance"].values[2, 2], error[2])
    assert_within(cloud.mean(axis=0), ridge["minimum"], np.sqrt(estimate / n))


def test_gaussian_features_with_momentum():
    """Physics.md 17: .263158 and .210526, exact for these 24 samples; the Lyapunov equation says .15 for both."""
    data, sgd = like_fresh_gaussian_data(), sp.SGD(lr=0.3, batch_size=2, momentum=0.5)
    theory = sp.theory.exact_sgd_covariance(data.inputs, data.targets, sgd)["stationary_covariance"].values
    np.testing.assert_allclose(theory, np.diag([0.263158, 0.210526]), rtol=2e-6, atol=1e-12)
    estimate, error = variance(stationary_cloud(data, sgd, 200_000, 60)["position"].values[0])
    assert_within(estimate, [0.263158, 0.210526], error)
    assert_excluded(estimate, 0.15, error)


@pytest.mark.parametrize(
    ("product", "ratio", "all_steps", "epochs"), [(0.1, 0.269428, 0.468, 5), (0.01, 0.00352109, 0.0668, 30)]
)
def test_shuffled_epochs(product, ratio, all_steps, epochs):
    """Physics.md 20, variances over that of independent draws, 20 batches an epoch; limit of small lr h excluded."""
    n, h, count = 200_000 if product == 0.1 else 50_000, 1.0, 20
    sgd = sp.SGD(lr=product / h, batch_size=1, sampling="shuffle")
    times = sgd.lr * np.arange((epochs - 1) * count + 1, epochs * count + 1)
    cloud = stationary_cloud(constant_noise(h, count), sgd, n, epochs * count, save_at=times)
    squares = cloud["position"].values[:, :, 0] ** 2
    independent = sgd.lr**2 * h / (1 - (1 - product) ** 2)
    error = squares[-1].std() / np.sqrt(n) / independent
    assert_within(squares[-1].mean() / independent, ratio, error)
    assert_excluded(squares[-1].mean() / independent, 1.0, error)
    if product == 0.1:
        assert_excluded(squares[-1].mean() / independent, count / (count - 1) * (product * count) ** 2 / 12, error)
        assert_excluded(squares[-1].mean() / independent, ratio * (count - 1) / count, error)
    means = squares.mean(axis=0)
    assert_within(means.mean() / independent, all_steps, means.std() / np.sqrt(n) / independent + 5e-4 * all_steps)


def test_shuffled_batches_of_several_samples_drop_the_short_last_one():
    """41 samples, B = 2: 20 batches an epoch of one shuffled order, against theory; independent draws are excluded."""
    n, data = 200_000, constant_noise(1.0, 41)
    sgd = sp.SGD(lr=0.1, batch_size=2, sampling="shuffle", n_samples=41)
    values = stationary_cloud(data, sgd, n, 100)["position"].values[0, :, 0]
    theory = sp.theory.stationary_covariance([[1.0]], [[1.0]], sgd, mode="shuffle")
    estimate, error = variance(values)
    assert_within(estimate, theory["stationary_covariance"].values[0, 0], error)
    assert_excluded(estimate, 0.1 / 2 / (2 - 0.1) * 39 / 40, error)


@pytest.mark.parametrize("sampling", ["replacement", "without", "shuffle"])
@pytest.mark.parametrize(
    ("momentum", "nesterov", "dampening", "weight_decay"),
    [(0.0, False, 0.0, 0.1), (0.9, False, 0.0, 0.0), (0.9, True, 0.0, 0.1), (0.7, False, 0.4, 0.1)],
)
def test_paths_are_those_of_torch(sampling, momentum, nesterov, dampening, weight_decay):
    """torch.optim.SGD in double precision on the same minibatches, step by step."""
    rule = {"momentum": momentum, "nesterov": nesterov, "dampening": dampening, "weight_decay": weight_decay}
    sgd = sp.SGD(lr=0.07, batch_size=3, n_samples=20, sampling=sampling, **rule)
    cloud = stationary_cloud(TWENTY, sgd, 66, 20, start=1.0, save_at=21, seed=8)
    inputs, targets = torch.from_numpy(np.array(TWENTY.inputs)), torch.from_numpy(np.array(TWENTY.targets))
    per_epoch = 20 // 3
    for particle in (0, 65):
        x = torch.ones(3, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.SGD([x], lr=0.07, **rule)
        for step in range(20):
            np.testing.assert_allclose(cloud["position"].values[step, particle], x.detach().numpy(), rtol=1e-12)
            shuffled = sampling == "shuffle"
            counter, offset = (step // per_epoch, step % per_epoch * 3) if shuffled else (step, 0)
            places = [(key_of(8), particle, counter, 0, offset + k, 20, sampling) for k in range(3)]
            drawn = torch.tensor([naive.sample_index(*place) for place in places])
            optimiser.zero_grad()
            ((inputs[drawn] @ x - targets[drawn]) ** 2 / 2).mean().backward()
            optimiser.step()


def test_decaying_the_rate_and_growing_the_batch():
    """Physics.md 16: equal only to O(lr h); variances at the ends of the stages, Gaussian noise, 1500 and 620 steps."""
    n = 400_000
    rates = [sp.SGD(lr=lr, batch_size=10, n_samples=1000) for lr in (0.1, 0.02, 0.004)]
    sizes = [sp.SGD(lr=0.1, batch_size=batch, n_samples=1000) for batch in (10, 50, 250)]
    exact = np.array([[0.00526316, 0.00101010, 0.00021511], [0.00526316, 0.00105263, 0.00022297]])
    for stages, wanted, other, steps in ((rates, exact[0], exact[1], 1500), (sizes, exact[1], exact[0], 620)):
        schedule = sp.schedules.SGDSchedule.from_epochs([(sgd, 5) for sgd in stages])
        assert schedule.n_steps == steps
        ends = schedule.times(np.cumsum([5 * 1000 // sgd.batch_size for sgd in stages]))
        cloud = sp.simulate(
            sp.landscapes.Quadratic(1.0), Isotropic(1.0), sgd=schedule, n_particles=n, start=0.0, save_at=ends
        )
        estimate = (cloud["position"].values[:, :, 0] ** 2).mean(axis=1)
        assert_within(estimate, wanted, wanted * np.sqrt(2 / n))
        assert_excluded(estimate[1:], other[1:], wanted[1:] * np.sqrt(2 / n))


@pytest.mark.parametrize(
    ("sgd", "exact"), [(sp.SGD(lr=0.05, batch_size=4, momentum=0.8), 0.0976655), (sp.SGD(lr=0.1, batch_size=2), None)]
)
def test_first_fluctuation_dissipation_relation(sgd, exact):
    """Yaida 2018 (physics.md 5): <x . grad f> = (lr/2) (1 + mu) <v . v>; the factor 1 - mu is excluded.

    Without momentum v is the batch gradient, whose second moment is uncentred; the centred one is excluded.
    """
    n = 200_000
    cloud = stationary_cloud(TWENTY, sgd, n, 400)
    x = cloud["position"].values[0]
    gradient = TWENTY.gradient(x)
    left = np.sum(x * gradient, axis=1)
    centred = centred_noise(x, gradient, np.eye(3)) / sgd.batch_size
    squares = (
        np.sum(cloud["velocity"].values[0] ** 2, axis=1) if sgd.momentum else centred + np.sum(gradient**2, axis=1)
    )
    right = sgd.lr / 2 * (1 + sgd.momentum) * squares
    assert_within((left - right).mean(), 0.0, (left - right).std() / np.sqrt(n))
    wrong = sgd.lr / 2 * (0.2 * squares if sgd.momentum else centred)
    assert_excluded((left - wrong).mean(), 0.0, (left - wrong).std() / np.sqrt(n))
    if exact is not None:
        assert_within(left.mean(), exact, left.std() / np.sqrt(n))
        assert_within(right.mean(), exact, right.std() / np.sqrt(n))


def test_second_fluctuation_dissipation_relation():
    """<|grad f|^2> = (lr/2) <Tr H C>, C uncentred, exact on a quadratic: .3985382 (physics.md G6, without momentum)."""
    n, sgd = 200_000, sp.SGD(lr=0.1, batch_size=2)
    x = stationary_cloud(TWENTY, sgd, n, 400)["position"].values[0]
    gradient, hessian = TWENTY.gradient(x), TWENTY.hessian(x[:1])[0]
    left = np.sum(gradient**2, axis=1)
    noise = centred_noise(x, gradient, hessian) / sgd.batch_size
    right = sgd.lr / 2 * (noise + np.einsum("pi,ij,pj->p", gradient, hessian, gradient))
    assert_within(left.mean(), 0.3985382, left.std() / np.sqrt(n))
    assert_within(right.mean(), 0.3985382, right.std() / np.sqrt(n))
    assert_excluded(left.mean(), (sgd.lr / 2 * noise).mean(), left.std() / np.sqrt(n))


def centred_noise(x, gradient, weight):
    """Return Tr(weight C(x)) of the population covariance C of the per-sample gradients, (particle,)."""
    steepness = np.einsum("si,ij,sj->s", TWENTY.inputs, weight, TWENTY.inputs)
    squares = (x @ TWENTY.inputs.T - TWENTY.targets) ** 2 @ steepness / TWENTY.n_samples
    return squares - np.einsum("pi,ij,pj->p", gradient, weight, gradient)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampling", "exponents"), [("replacement", (0.0, 0.0)), ("shuffle", (2.0, 4.0))], ids=["independent", "shuffled"]
)
def test_inverse_variance_flatness_comes_from_shuffling(sampling, exponents):
    """Physics.md 11: variance ~ h^(psi/2) where C = H; psi of all steps and of the ends of epochs, to .05.

    Eight modes of eta h from 1e-4 to 5e-3, 2000 particles over three relaxation times: standard error of psi .02.
    """
    lr, count, n = 0.05, 50, 2000
    curvatures = np.logspace(-2.7, -1, 8)
    variances = []
    for mode, h in enumerate(curvatures):
        sgd = sp.SGD(lr=lr, batch_size=1, sampling=sampling, n_samples=count)
        steps = count * round(3 / (lr * h) / count)
        times = lr * np.arange(steps - count + 1, steps + 1)
        cloud = stationary_cloud(constant_noise(h, count, mode), sgd, n, steps, save_at=times, point=(mode,))
        squares = cloud["position"].values ** 2
        variances.append((squares.mean(), squares[-1].mean()))
    slopes = [2 * np.polyfit(np.log(curvatures), np.log(column), 1)[0] for column in np.transpose(variances)]
    np.testing.assert_allclose(slopes, exponents, atol=0.05)
