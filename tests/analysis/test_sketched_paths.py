import numpy as np
import pytest
import xarray as xr
from asserts import assert_within

from sgdphys.analysis import path_principal_components, sketched_displacement


def dataset(paths, interval=0.1):
    time = interval * np.arange(len(paths))
    return xr.Dataset({"sketch": (("time", "particle", "bucket"), paths)}, coords={"time": time})


def walk(steps, replicas, k, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(size=(steps, replicas, k)), axis=0)


def test_displacements_of_random_walks_grow_like_time():
    k, values = 64, []
    for seed in range(20):
        result = sketched_displacement(dataset(walk(400, 5, k, seed)), 6)
        values.append(result["sketched_displacement"].values)
    lags = np.round(result["lag"].values / 0.1)
    assert_within(np.mean(values, axis=0), k * lags, np.std(values, axis=0, ddof=1) / 20**0.5)
    np.testing.assert_allclose(result["sketched_displacement_sketch_error"], values[-1] * (2 / k) ** 0.5)


def test_components_of_a_random_walk_are_the_null():
    # Antognini & Sohl-Dickstein: .608, .152, .068 as dimension and length grow; its spread over walks is measured
    shares = path_principal_components(dataset(walk(400, 8, 1500)), 3)
    mean, error = shares["path_share"].mean("particle"), shares["path_share"].std("particle") / 7**0.5
    assert_within(mean.values, shares["path_share_null"].values, np.maximum(error.values, 2e-3))
    assert shares["path_share_null"].values[0] == pytest.approx(0.6079, abs=1e-4)


def test_a_path_in_a_plane_has_no_distance_from_it():
    t = np.linspace(0, 7, 50)
    plane = np.linalg.qr(np.random.default_rng(0).normal(size=(30, 2)))[0]
    flat = (np.stack([np.cos(t), np.sin(t)], axis=1) @ plane.T)[:, None]
    result = path_principal_components(dataset(flat))
    np.testing.assert_allclose(result["off_plane_distance"], 0, atol=1e-12)
    np.testing.assert_allclose(result["path_share"][0, :2].sum(), 1)
    off = flat + 0.1 * np.random.default_rng(1).normal(size=flat.shape)
    centred = (off - off.mean(axis=0))[:, 0]
    v = np.linalg.svd(centred)[2][:2]
    expected = np.linalg.norm(centred - centred @ v.T @ v, axis=1)
    np.testing.assert_allclose(path_principal_components(dataset(off))["off_plane_distance"][:, 0], expected)


def test_what_is_no_sketch_is_refused():
    with pytest.raises(ValueError, match="holds no sketch"):
        sketched_displacement(dataset(walk(5, 1, 2)).rename(sketch="other"))
    with pytest.raises(ValueError, match="three frames"):
        path_principal_components(dataset(walk(2, 1, 2)))
    with pytest.raises(ValueError, match="dimensions time, particle and bucket"):
        sketched_displacement(dataset(walk(5, 1, 2)).isel(particle=0))


def test_a_replica_that_diverged_has_no_components_and_the_others_keep_theirs():
    paths = walk(30, 2, 8)
    alone = path_principal_components(dataset(paths[:, 1:]))
    paths[20:, 0] = np.nan
    both = path_principal_components(dataset(paths))
    assert np.isnan(both["path_share"][0]).all() and np.isnan(both["off_plane_distance"][:, 0]).all()
    np.testing.assert_allclose(both["path_share"][1], alone["path_share"][0])
