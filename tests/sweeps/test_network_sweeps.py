"""Network sweeps: growth from the minimum, exact covariance of least squares, the twin, interrupted, refused."""

import math

import numpy as np
import pytest
import torch
import xarray as xr

import sgdphys as sp
from sgdphys.errors import StoreError
from sgdphys.sweeps import sweep_digits, sweep_network

SMALL = {"lrs": [0.1], "batch_sizes": [4, 16], "rank": 2, "t1": 4.0, "n_frames": 5, "n_replicas": 20}
SMALL |= {"n_particles": 64, "n_flatness": 2, "threads": 1}


def _data(n_samples=60):
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(n_samples, 3)) * [1.5, 1.0, 0.6]
    return inputs, inputs @ [1.0, -1.0, 2.0] + 0.7 * rng.normal(size=n_samples)


def _half_square(output, target):
    return 0.5 * (output[:, 0] - target) ** 2


def _regression():
    return sp.Network(torch.nn.Linear(3, 1, bias=False), _half_square, _data())


@pytest.fixture(scope="module")
def classifier():
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(90, 2))
    labels = (inputs.sum(axis=1) + rng.normal(size=90) > 0).astype(int)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torch.nn.Linear(2, 2)
    return sp.Network(model, torch.nn.CrossEntropyLoss(), (inputs, labels), weight_decay=0.1), (inputs, labels)


@pytest.fixture(scope="module")
def regression():
    return sweep_network(
        _regression(), lrs=[0.05, 0.1], batch_sizes=[2, 8], rank=3, t1=30.0, n_frames=13, n_replicas=2000, threads=2
    )


def _exact(sgd):
    inputs, targets = _data()
    return sp.theory.exact_sgd_covariance(inputs, targets, sgd)


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_least_squares_real_cloud_has_the_exact_covariance(regression, place):
    """Least squares has multiplicative noise: the exact variance exceeds that of constant noise (lr .1, B=2: 25 %)."""
    point = regression.isel(lr=place[0], batch_size=place[1], seed=0)
    sgd = sp.SGD(float(point["lr"]), int(point["batch_size"]))
    basis = point["basis"].values
    exact = np.diagonal(basis.T @ _exact(sgd)["stationary_covariance"].values @ basis)
    z = (point["variance_real"] - exact) / point["variance_real_standard_error"]
    assert float(np.abs(z).max()) < 4
    doubled = (point["variance_real"] - 2 * exact) / point["variance_real_standard_error"]  # lr/B for lr/(2B)
    assert float(np.abs(doubled).min()) > 10


def _growth(sgd, steps):
    """Return second moments after steps from the minimum: E[(1 - lr A) M (1 - lr A)] + lr^2 C / B, A of the batch."""
    inputs, targets = _data()
    H = inputs.T @ inputs / len(inputs)
    slopes = inputs * (inputs @ np.linalg.solve(H, inputs.T @ targets / len(inputs)) - targets)[:, None]
    C, M, found = slopes.T @ slopes / len(inputs), np.zeros((3, 3)), []
    for step in range(max(steps) + 1):
        if step in steps:
            found.append(M)
        fourth = np.einsum("ni,nj,n->ij", inputs, inputs, np.einsum("ni,ij,nj->n", inputs, M, inputs)) / len(inputs)
        drift = np.eye(3) - sgd.lr * H
        M = drift @ M @ drift + sgd.lr**2 / sgd.batch_size * (fourth - H @ M @ H + C)
    return np.array(found)


def _growth_z(sweep, place):
    """Return standard errors between the real cloud's variances at all times after the start and the exact ones."""
    point = sweep.isel(lr=place[0], batch_size=place[1], seed=0)
    sgd = sp.SGD(float(point["lr"]), int(point["batch_size"]))
    steps = np.rint(point["time"].values / sgd.lr).astype(int).tolist()
    basis = point["basis"].values
    exact = np.einsum("ia,tij,ja->ta", basis, _growth(sgd, steps), basis)[1:]
    positions = point["position"].values[1:].astype(float)
    squares = (positions - positions.mean(axis=1, keepdims=True)) ** 2
    count = positions.shape[1]
    spread = np.maximum(squares.std(axis=1, ddof=1), exact) / math.sqrt(count)
    assert bool((point["position"][0] == 0).all())
    return (squares.mean(axis=1) * count / (count - 1) - exact) / spread


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_real_variances_grow_from_zero_as_they_must(regression, place):
    """Twelve times, three directions, the first time 2.5: before the softest direction (2 h t = 1.5) has settled."""
    z = _growth_z(regression, place)
    assert float(np.abs(z).max()) < 4
    final = _growth(sp.SGD(float(regression["lr"][place[0]]), int(regression["batch_size"][place[1]])), [2000])[0]
    stationary = _exact(sp.SGD(float(regression["lr"][place[0]]), int(regression["batch_size"][place[1]])))
    np.testing.assert_allclose(final, stationary["stationary_covariance"], rtol=1e-9)


def _half_the_steps(network, sgd, *, n_steps, **options):
    return sp.train(network, sgd, n_steps=max(n_steps // 2, 1), **options)


def _start_with_a_little_noise(network, sgd, *, start, **options):
    return start + 1e-4 * np.random.default_rng(0).normal(size=start["position"].shape)


def _twice_the_batch(network, sgd, **options):
    return sp.train(network, sp.SGD(sgd.lr, 2 * sgd.batch_size), **options)


@pytest.mark.parametrize("wrong", [_half_the_steps, _start_with_a_little_noise, _twice_the_batch])
def test_a_broken_train_is_noticed(monkeypatch, wrong):
    monkeypatch.setattr("sgdphys.sweeps.network_points.train", wrong)
    options = {"lrs": [0.1], "batch_sizes": [8], "rank": 3, "t1": 6.0, "n_frames": 6, "n_replicas": 2000}
    sweep = sweep_network(_regression(), **options, threads=2)
    assert float(np.abs(_growth_z(sweep, (0, 0))).max()) > 10


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_prediction_is_the_iterated_map(momentum):
    """Powers of the 2d x 2d map of positions and velocities, and the stationary covariance at the end."""
    from sgdphys.sweeps.measurements import measure

    measured, sgd = measure(_regression(), 3), sp.SGD(0.1, 4, momentum=momentum)
    h, lr, steps = measured.eigenvalues, sgd.lr, [0, 1, 2, 7, 40, 3000]
    eye = np.eye(3)
    A = np.block([[eye - lr * np.diag(h), -lr * momentum * eye], [np.diag(h), momentum * eye]])
    kick = np.vstack([-lr * eye, eye])
    Q, P, found = kick @ measured.noise @ kick.T / 4, np.zeros((6, 6)), []
    for step in range(steps[-1] + 1):
        if step in steps:
            found.append(P[:3, :3])
        P = A @ P @ A.T + Q
    predicted = measured.predict(sgd, steps)
    np.testing.assert_allclose(predicted.covariances, found, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(predicted.excess_losses, [0.5 * np.sum(np.diag(h) * S) for S in found], rtol=1e-9)
    stationary = sp.theory.stationary_covariance(np.diag(h), measured.noise, sgd)["stationary_covariance"]
    np.testing.assert_allclose(predicted.covariances[-1], stationary, rtol=1e-7, atol=1e-15)
    if momentum == 0:
        a = 1 - lr * h
        np.testing.assert_allclose(predicted.covariances[3], stationary * (1 - np.outer(a, a) ** 7), rtol=1e-9)


def test_least_squares_excess_loss(regression):
    inputs, _ = _data()
    H = inputs.T @ inputs / len(inputs)
    for place in np.ndindex(2, 2):
        point = regression.isel(lr=place[0], batch_size=place[1], seed=0)
        sgd = sp.SGD(float(point["lr"]), int(point["batch_size"]))
        exact = 0.5 * np.sum(H * _exact(sgd)["stationary_covariance"].values)
        assert abs(float(point["excess_loss"]) - exact) < 4 * float(point["excess_loss_standard_error"])


def test_prediction_is_the_additive_map_and_the_twin_follows_it(regression):
    for place in np.ndindex(2, 2):
        point = regression.isel(lr=place[0], batch_size=place[1], seed=0)
        sgd = sp.SGD(float(point["lr"]), int(point["batch_size"]))
        basis = point["basis"].values
        additive = np.diagonal(basis.T @ _exact(sgd)["additive"].values @ basis)
        np.testing.assert_allclose(point["variance_predicted"], additive, rtol=3e-3)  # the softest: 1 - exp(-2 h t)
        np.testing.assert_allclose(point["variance_predicted"][0], additive[0], rtol=1e-6)
        assert abs(float(point["mean_ratio_sim"]) - 1) < 4 * float(point["mean_ratio_sim_standard_error"])
    worst = regression.isel(lr=1, batch_size=0, seed=0)
    assert float(worst["mean_ratio_real"]) > 1.1


def test_least_squares_is_equally_curved_everywhere(regression):
    np.testing.assert_allclose(regression["hessian_trace"], float(regression["minimum_hessian_trace"]), rtol=1e-9)


def test_entropies(regression):
    point = regression.isel(lr=0, batch_size=1, seed=0)
    volume = np.prod(2 * math.pi * math.e * point["variance_predicted"].values)
    assert float(point["entropy_predicted"]) == pytest.approx(0.5 * math.log(volume), abs=0.05)  # nearly diagonal
    z = (float(point["entropy_sim"]) - float(point["entropy_predicted"])) / float(point["entropy_sim_standard_error"])
    assert abs(z) < 4


def test_shape_coordinates_and_units(regression):
    assert regression["variance_real"].dims == ("lr", "batch_size", "seed", "coordinate")
    assert regression["position"].dims == ("lr", "batch_size", "seed", "time", "particle", "coordinate")
    np.testing.assert_allclose(regression["temperature"], [[0.0125, 0.003125], [0.025, 0.00625]])
    assert regression["excess_loss"].attrs["units"] == "loss"
    assert bool(np.isnan(regression["test_error"]).all())  # no test data were given


def test_classifier_test_error_and_flatness(classifier):
    network, test_data = classifier
    sweep = sweep_network(network, test_data, **{**SMALL, "rank": 4})
    assert float(np.abs(sweep["test_error"] - sweep["minimum_test_error"]).max()) < 0.1
    assert float(sweep["hessian_trace"].mean()) == pytest.approx(float(sweep["minimum_hessian_trace"]), rel=0.2)
    assert bool((sweep["diverged_fraction"] == 0).all())


def test_momentum_keeps_its_velocity_over_frames(classifier):
    """The predicted variance of heavy ball is met although the cloud is trained frame by frame."""
    network, _ = classifier
    options = {**SMALL, "lrs": [0.05], "n_replicas": 1500, "n_frames": 21, "t1": 30.0, "n_particles": 1500}
    sweep = sweep_network(network, momentum=0.8, **options).isel(lr=0, seed=0)
    assert bool((np.abs(sweep["mean_ratio_sim"] - 1) < 4 * sweep["mean_ratio_sim_standard_error"]).all())
    coldest = sweep.isel(batch_size=1)
    assert 0.95 < float(coldest["mean_ratio_real"]) < 1.1


@pytest.mark.parametrize("calls", [1, 3, 5, 7])
def test_an_interrupted_sweep_goes_on(tmp_path, monkeypatch, classifier, calls):
    from sgdphys.sweeps import network_points

    whole = sweep_network(*classifier, **SMALL)
    train, count = network_points.train, 0

    def interrupted(*args, **kwargs):
        nonlocal count
        count += 1
        if count > calls:
            raise KeyboardInterrupt
        return train(*args, **kwargs)

    monkeypatch.setattr(network_points, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep_network(*classifier, **SMALL, store=tmp_path / "s.zarr")
    monkeypatch.setattr(network_points, "train", train)
    with pytest.raises(StoreError, match="unfinished"):
        sweep_network(*classifier, **SMALL, store=tmp_path / "s.zarr")
    resumed = sweep_network(*classifier, **SMALL, store=tmp_path / "s.zarr", resume=True)
    xr.testing.assert_allclose(resumed.load(), whole, rtol=1e-6)


def test_the_same_sweep_again_computes_nothing(tmp_path, monkeypatch, classifier):
    first = sweep_network(*classifier, **SMALL, store=tmp_path / "s.zarr").load()
    for name in ("train", "simulate"):
        monkeypatch.setattr(f"sgdphys.sweeps.network_points.{name}", None)
    monkeypatch.setattr("sgdphys.sweeps.network_sweeps.measure", None)
    xr.testing.assert_identical(sweep_network(*classifier, **SMALL, store=tmp_path / "s.zarr").load(), first)
    with pytest.raises(StoreError, match="with other batch_sizes"):
        sweep_network(*classifier, **{**SMALL, "batch_sizes": [8]}, store=tmp_path / "s.zarr")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lrs": []}, "lrs must hold at least one value"),
        ({"lrs": [-0.1]}, "lr must be positive"),
        ({"batch_sizes": [91]}, "batch_size must not exceed n_samples, got 91 > 90"),
        ({"seeds": [0, 0]}, "each value once"),
        ({"n_frames": 2}, "n_frames must be a whole number of at least 3"),
        ({"rank": 0}, "rank must lie between 1 and"),
        ({"n_replicas": 4}, "n_replicas must be at least 5, three more than the 2 directions"),
        ({"n_particles": 4}, "n_particles must be at least 5"),
        ({"n_flatness": 0}, "n_flatness must be at least 1"),
        ({"t1": math.nan}, "t1 must be positive and finite"),
        ({"t1": 0.3}, "fewer steps of lr=0.1 than frames"),
        ({"lrs": [50.0], "t1": 1000.0}, "lr .* lambda_max"),
    ],
)
def test_refusals(tmp_path, classifier, change, message):
    with pytest.raises(ValueError, match=message):
        sweep_network(*classifier, **{**SMALL, **change}, store=tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr").exists()


def test_digits_variances_grow_as_predicted():
    """Mean over 20 directions, with an error of sqrt(2 / 255 / 20) = 0.02; half the steps would begin at 0.73."""
    sweep = sweep_digits(lrs=[0.05], batch_sizes=[128], t1=6.0, n_frames=4, n_particles=64, n_flatness=1, threads=2)
    point = sweep.isel(lr=0, batch_size=0, seed=0)
    ratio = point["position"].astype(float).var("particle", ddof=1)[1:] / point["variance_growth_predicted"][1:]
    np.testing.assert_allclose(ratio.mean("coordinate"), 1.0, atol=0.08)
    grown = point["variance_growth_predicted"].values
    assert np.all(grown[0] == 0)
    assert np.all(np.diff(grown, axis=0)[:, -1] > 0.1 * grown[-1, -1])


def test_digits_defaults_reach_the_sweep(monkeypatch):
    seen = {}
    monkeypatch.setattr("sgdphys.sweeps.network_sweeps.sweep_network", lambda *args, **options: seen.update(options))
    sweep_digits(seeds=[3])
    assert seen == {"lrs": (0.05, 0.1, 0.2), "batch_sizes": (8, 32, 128), "seeds": [3]}
