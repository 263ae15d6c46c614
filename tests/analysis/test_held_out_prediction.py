import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from clouds import cloud_of

import sgdphys as sp
from sgdphys.analysis import drift_and_diffusion, held_out, total_variation
from sgdphys.fokker_planck import Grid, stationary


def test_particles_are_split_with_their_histories():
    cloud = cloud_of(np.arange(10.0), np.arange(10.0) + 100)
    learn, test = held_out(cloud, 0.3, seed=4)
    assert (learn.sizes["particle"], test.sizes["particle"]) == (7, 3)
    both = np.concatenate([part["position"].values for part in (learn, test)], axis=1)[..., 0]
    np.testing.assert_array_equal(np.sort(both[0]), np.arange(10))
    np.testing.assert_array_equal(both[1], both[0] + 100)
    other = held_out(cloud, 0.3, seed=5)[1]
    assert not np.array_equal(other["position"], test["position"])
    np.testing.assert_array_equal(held_out(cloud, 0.3, seed=4)[1]["position"], test["position"])


def test_each_part_has_a_particle():
    learn, test = held_out(cloud_of(np.arange(2.0)), 0.01)
    assert learn.sizes["particle"] == test.sizes["particle"] == 1


def test_bad_input_is_refused():
    for cloud, message in (
        (None, "takes a Dataset"),
        (cloud_of(np.arange(5.0)).isel(time=slice(0)), "holds no frame"),
        (cloud_of(np.arange(5.0)) + 1j, "real numbers"),
        (cloud_of(np.arange(5.0)).isel(coordinate=slice(0)), "got 5 and 0"),
    ):
        with pytest.raises(ValueError, match=message):
            held_out(cloud)
    for fraction in (0.0, np.nan, "half", None):
        with pytest.raises(ValueError, match="fraction must"):
            held_out(cloud_of(np.arange(5.0)), fraction)
    with pytest.raises(ValueError, match="fraction must lie between 0 and 1, got 1"):
        held_out(cloud_of(np.arange(5.0)), 1.0)
    with pytest.raises(ValueError, match="needs two or more, the cloud has 1"):
        held_out(cloud_of(np.arange(1.0)))
    with pytest.raises(ValueError, match="seed must be an integer, not negative"):
        held_out(cloud_of(np.arange(5.0)), seed=-1)


def test_measured_drift_and_diffusion_predict_replicas_that_were_held_out():
    well, noise = sp.landscapes.Expression("x**4/4 - x**2/2"), sp.noises.Formula("1 + x**2")
    start = 0.8 * np.random.default_rng(2).normal(size=(24_000, 1))
    run = {"temperature": 0.2, "dt": 0.002, "t1": 12.0, "n_particles": 24_000, "start": start, "save_at": 601}
    learn, test = held_out(sp.simulate(well, noise, seed=1, **run))
    measured = drift_and_diffusion(learn, Grid([(-1.9, 1.9, 38)]))
    found = sp.landscapes.Tabulated.from_drift(measured), sp.noises.Tabulated.from_diffusion(measured, temperature=1.0)
    grid = Grid([(-2.6, 2.6, 260)])
    predicted = stationary(*found, temperature=1.0, grid=grid)
    last = test.isel(time=[-1])
    assert_within(total_variation(last, predicted, merge=5)["total_variation_z"], 0, 1)
    assert_within(total_variation(last, predicted, merge=5)["chi_square_z"], 0, 1)
    exact = stationary(well, noise, temperature=0.2, grid=grid)
    assert float(total_variation(predicted, exact)["total_variation"][0]) < 0.015
    mean_diffusion = float(measured["diffusion"].weighted(measured["visits"]).mean())
    for temperature in (0.2, mean_diffusion):  # the loss with isotropic noise, even of the right strength
        bare = total_variation(last, stationary(well, temperature=temperature, grid=grid), merge=5)
        assert_excluded(bare["total_variation_z"], 0, 1)
        assert bare["total_variation"] > 0.08
    again = sp.simulate(*found, temperature=1.0, dt=0.005, t1=8.0, n_particles=20_000, start=start[:20_000], seed=7)
    assert_within(total_variation(again.isel(time=[-1]), predicted, merge=5)["total_variation_z"], 0, 1)


def test_a_circulation_in_the_plane_is_predicted_with_its_entropy_production():
    example = sp.landscapes.ChaudhariSoatto(rotation=1.5)
    start = np.random.default_rng(8).normal(size=(20_000, 2))
    run = {"temperature": 1.0, "dt": 0.002, "t1": 4.0, "n_particles": 20_000, "start": start, "save_at": 201}
    learn, test = held_out(sp.simulate(example, seed=1, **run))
    measured = drift_and_diffusion(learn, Grid([(-2.5, 2.5, 24), (-3.2, 3.2, 24)]))
    drift = sp.landscapes.Tabulated.from_drift(measured)
    noise = sp.noises.Tabulated.from_diffusion(measured, temperature=1.0)
    grid = Grid([(-3, 3, 90), (-4, 4, 90)])
    predicted = stationary(drift, noise, temperature=1.0, grid=grid)
    distances = total_variation(test.isel(time=[-1]), predicted, merge=5)
    assert_within(distances["total_variation_z"], 0, 1)
    assert_within(distances["chi_square_z"], 0, 1)
    exact = stationary(example, temperature=1.0, grid=grid)
    assert float(total_variation(predicted, exact)["total_variation"][0]) < 0.03
    assert float(predicted["entropy_production_rate"][0]) == pytest.approx(1.533109, rel=0.05)
    balanced = stationary(drift.base, noise, temperature=1.0, grid=grid)
    assert float(balanced["entropy_production_rate"][0]) < 0.05  # its gradient part alone
