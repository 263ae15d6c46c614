"""Points of a network sweep: what is independent, replicas and points, and what is not, the frames of a replica."""

from types import SimpleNamespace

import numpy as np
import torch
import xarray as xr

import sgdphys as sp
from sgdphys.sweeps import sweep_network
from sgdphys.sweeps.network_points import _ratio


def test_frames_of_one_replica_do_not_shrink_the_error():
    generator = np.random.default_rng(0)
    replicas, directions, frames, clouds = 12, 5, 6, 2000
    settings = SimpleNamespace(late=slice(0, frames))
    prediction = SimpleNamespace(variances=np.ones((frames, directions)))
    ratios, errors = [], []
    for _ in range(clouds):
        points = np.repeat(generator.normal(size=(1, replicas, directions)), frames, axis=0)  # frames all alike
        cloud = xr.Dataset({"position": (("time", "particle", "coordinate"), points)})
        ratio, error = _ratio(cloud, prediction, settings)
        ratios.append(ratio)
        errors.append(error)
    scatter = float(np.std(ratios, ddof=1))
    # unbiased with the factor n/(n-1), without which the mean would be 1 - 1/12, 15 standard errors off
    assert abs(np.mean(ratios) - 1) < 4 * scatter / clouds**0.5
    # frames taken for independent would give 1/sqrt(6) = .41
    assert 0.85 < np.sqrt(np.mean(np.square(errors))) / scatter < 1.15


def test_points_of_a_sweep_draw_noise_of_their_own():
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(40, 3))
    targets = inputs @ [1.0, -1.0, 2.0] + generator.normal(size=40)
    model = torch.nn.Linear(3, 1, bias=False)
    network = sp.Network(model, lambda output, target: 0.5 * (output[:, 0] - target) ** 2, (inputs, targets))
    sizes = {"rank": 3, "t1": 8.0, "n_frames": 5, "n_replicas": 200, "n_particles": 2000, "n_flatness": 2}
    # two learning rates that differ by 1e-9: with equal noise their clouds would be equal to 1e-8
    sweep = sweep_network(network, lrs=[0.1, 0.1 * (1 + 1e-9)], batch_sizes=[4], threads=1, **sizes)
    first, second = sweep["position"].isel(batch_size=0, seed=0, time=-1).values
    correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert abs(correlation) < 4 / len(first) ** 0.5  # the replicas are the independent units
    twin = sweep.isel(batch_size=0, seed=0)
    difference = np.abs(np.diff(twin["variance_sim"].values, axis=0))
    error = twin["variance_sim_standard_error"].values.max(axis=0)
    assert np.all(difference < 4 * 2**0.5 * error)
    assert np.any(difference > 0.1 * error)


def test_the_bits_of_a_sweep_do_not_depend_on_a_clock(monkeypatch):
    monkeypatch.setattr("sgdphys.network.clouds.engines._SMALL", 0)
    monkeypatch.setattr("sgdphys.network.clouds.engines._SHORT", 0)
    monkeypatch.setattr("sgdphys.network.clouds.engines._seconds", None)  # called where two engines are timed
    generator = np.random.default_rng(1)
    data = generator.normal(size=(20, 3)), generator.normal(size=20)
    network = sp.Network(torch.nn.Linear(3, 1, bias=False), lambda y, t: 0.5 * (y[:, 0] - t) ** 2, data)
    sizes = {"rank": 1, "t1": 2.0, "n_frames": 3, "n_replicas": 4, "n_particles": 4, "n_flatness": 1}
    one, two = (sweep_network(network, lrs=[0.1], batch_sizes=[4], threads=1, **sizes) for _ in range(2))
    np.testing.assert_array_equal(one["position"], two["position"])
