"""Network sweeps: against the exact covariance of least squares, against the twin, interrupted, refused."""

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
        np.testing.assert_allclose(point["variance_predicted"], additive, rtol=1e-6)
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
        ({"n_replicas": 4}, r"n_replicas must be at least rank \+ 3 = 5"),
        ({"t1": math.nan}, "t1 must be positive and finite"),
        ({"t1": 0.3}, "fewer steps of lr=0.1 than frames"),
        ({"lrs": [50.0], "t1": 1000.0}, "lr .* lambda_max"),
    ],
)
def test_refusals(tmp_path, classifier, change, message):
    with pytest.raises(ValueError, match=message):
        sweep_network(*classifier, **{**SMALL, **change}, store=tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr").exists()


def test_digits_defaults_reach_the_sweep(monkeypatch):
    seen = {}
    monkeypatch.setattr("sgdphys.sweeps.network_sweeps.sweep_network", lambda *args, **options: seen.update(options))
    sweep_digits(seeds=[3])
    assert seen == {"lrs": (0.05, 0.1, 0.2), "batch_sizes": (8, 32, 128), "seeds": [3]}
