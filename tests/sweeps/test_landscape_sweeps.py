"""Sweeps against exact stationary states; stores that are there, interrupted, or another's."""

import json
import math

import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys.errors import DivergenceWarning, StoreError
from sgdphys.landscapes import DoubleWell, Expression, Quadratic
from sgdphys.noises import Diagonal, Formula, Isotropic
from sgdphys.store import verify
from sgdphys.sweeps.references import reference_of

BOWL = Quadratic(np.diag([1.0]))
SMALL = {"temperatures": [0.1, 0.4], "seeds": [0, 1], "dt": 0.1, "n_steps": 60, "n_particles": 500, "save_at": 4}


@pytest.fixture(scope="module")
def bowl():
    """f = x^2/2 at dt = 0.1: the chain's variance is T/(1 - dt/2), reached to e^-12 after 60 steps."""
    return sp.sweep(
        BOWL, temperatures=[0.05, 0.2, 0.8], seeds=[0, 1], dt=0.1, n_steps=60, n_particles=50_000, start=0.0
    )


def _z(sweep, name, exact):
    last = sweep.isel(time=-1)
    return (last[name] - exact) / last[f"{name}_standard_error"]


def test_entropy_and_mean_potential_of_the_discrete_chain(bowl):
    variance = bowl["temperature"] / (1 - 0.1 / 2)
    entropy = 0.5 * np.log(2 * math.pi * math.e * variance)
    assert float(np.abs(_z(bowl, "entropy", entropy)).max()) < 4
    assert float(np.abs(_z(bowl, "mean_potential", variance / 2)).max()) < 4
    wrong = _z(bowl, "mean_potential", bowl["temperature"])  # lr/B in place of lr/(2B)
    assert float(np.abs(wrong).min()) > 10


def test_free_and_relative_entropy_of_the_discrete_chain(bowl):
    T, variance = bowl["temperature"], bowl["temperature"] / (1 - 0.1 / 2)
    free_energy = variance / 2 - T * 0.5 * np.log(2 * math.pi * math.e * variance)
    divergence = 0.5 * (variance / T - 1 - np.log(variance / T))
    assert float(np.abs(_z(bowl, "free_energy", free_energy)).max()) < 4
    assert float(np.abs(_z(bowl, "relative_entropy", divergence)).max()) < 4


def test_moments(bowl):
    last = bowl.isel(time=-1)
    variance = last["covariance"].isel(coordinate=0, coordinate_2=0)
    z = (variance - bowl["temperature"] / (1 - 0.1 / 2)) / last["variance_standard_error"].isel(coordinate=0)
    assert float(np.abs(z).max()) < 4
    assert float(np.abs(last["mean"] / last["mean_standard_error"]).max()) < 4
    assert float(bowl["diverged_fraction"].max()) == 0


def test_stationary_references_are_exact(bowl):
    T = bowl["temperature"].values
    np.testing.assert_allclose(bowl["stationary_entropy"], 0.5 * np.log(2 * math.pi * math.e * T), rtol=1e-9)
    np.testing.assert_allclose(bowl["stationary_mean_potential"], T / 2, rtol=1e-9)
    np.testing.assert_allclose(bowl["stationary_variance"].isel(coordinate=0), T, rtol=1e-9)
    np.testing.assert_allclose(bowl["stationary_free_energy"], -T / 2 * np.log(2 * math.pi * T), rtol=1e-9)


def test_a_start_in_one_point_has_no_entropy(bowl):
    assert bool(np.isnan(bowl["entropy"].isel(time=0)).all())
    assert bool(np.isfinite(bowl["entropy"].isel(time=slice(1, None))).all())


def test_shape_and_units(bowl):
    assert bowl["entropy"].dims == ("temperature", "seed", "time")
    assert bowl["covariance"].dims == ("temperature", "seed", "time", "coordinate", "coordinate_2")
    assert bowl["entropy"].attrs["units"] == "nat"
    assert bowl["temperature"].attrs["units"] == "x^2/loss"
    assert bowl.attrs["complete"] == 1
    assert bowl["time"].values[-1] == pytest.approx(6.0)


def test_points_have_independent_noise():
    """With common noise the clouds would be proportional to sqrt(T): correlation 1 instead of 0 +- n^(-1/2)."""
    sweep = sp.sweep(BOWL, **{**SMALL, "n_particles": 4000}, start=0.0, keep="cloud", storage="float64")
    last = sweep["position"].isel(time=-1, coordinate=0).values.reshape(4, 4000)
    correlation = np.corrcoef(last)[np.triu_indices(4, 1)]
    assert np.abs(correlation).max() * math.sqrt(4000) < 4


def test_threads_change_no_bit():
    sweeps = [sp.sweep(DoubleWell(), **SMALL, threads=threads, keep="cloud") for threads in (1, 2)]
    xr.testing.assert_identical(*sweeps)


def test_isotropic_noise_is_a_temperature():
    noisy = sp.sweep(BOWL, Isotropic(2.0), **SMALL, start=0.0)
    warm = sp.sweep(BOWL, **{**SMALL, "temperatures": [0.2, 0.8]}, start=0.0)
    for name in ("stationary_entropy", "stationary_free_energy", "entropy", "free_energy"):
        np.testing.assert_allclose(noisy[name], warm[name], rtol=1e-9)


def test_anisotropic_noise_is_compared_with_its_own_stationary_state():
    """Between D = diag(1, 4) and f the state is no exp(-f/T), yet the relative entropy goes to that of the chain."""
    bowl = Quadratic(np.diag([1.0, 1.0]))
    sweep = sp.sweep(
        bowl, Diagonal([1.0, 4.0]), temperatures=[0.1], dt=0.02, n_steps=400, n_particles=20_000, start=0.0
    )
    last = sweep.isel(temperature=0, seed=0, time=-1)
    excess = 1 / (1 - 0.01)
    exact = excess - 1 - math.log(excess)
    assert abs(float(last["relative_entropy"]) - exact) < 4 * float(last["relative_entropy_standard_error"]) + 2e-3
    entropy = 0.5 * math.log((2 * math.pi * math.e * 0.1 * excess) ** 2 * 4)
    assert abs(float(last["entropy"]) - entropy) < 4 * float(last["entropy_standard_error"])


def test_three_coordinates_have_no_reference():
    sweep = sp.sweep(Expression("x**4/4 + y**2/2 + z**2/2"), **SMALL)
    assert bool(np.isnan(sweep["stationary_entropy"]).all())
    assert bool(np.isnan(sweep["relative_entropy"]).all())
    assert bool(np.isfinite(sweep["free_energy"].isel(time=-1)).all())
    known = sp.sweep(Quadratic(np.eye(3)), **SMALL)  # but the free energy of a parabola is known without a grid
    assert bool(np.isfinite(known["relative_entropy"].isel(time=-1)).all())


def test_divergence_is_counted_and_said():
    with pytest.warns(DivergenceWarning, match="left for infinity"):
        sweep = sp.sweep(Expression("x**4/4"), temperatures=[0.1, 3.0], dt=0.5, n_steps=40, n_particles=400, start=0.5)
    lost = sweep["diverged_fraction"].isel(time=-1, seed=0)
    assert float(lost[1]) > float(lost[0])
    assert bool((sweep["diverged_fraction"].diff("time") >= 0).all())


def test_the_same_sweep_again_computes_nothing(tmp_path, monkeypatch):
    first = sp.sweep(BOWL, **SMALL, store=tmp_path / "s.zarr").load()
    monkeypatch.setattr("sgdphys.sweeps.points.simulate", None)
    xr.testing.assert_identical(sp.sweep(BOWL, **SMALL, store=tmp_path / "s.zarr").load(), first)
    monkeypatch.undo()
    xr.testing.assert_identical(sp.sweep(BOWL, **SMALL), first)
    assert verify(tmp_path / "s.zarr").sound


def test_another_sweep_is_refused_unless_told(tmp_path):
    sp.sweep(BOWL, **SMALL, store=tmp_path / "s.zarr")
    other = {**SMALL, "temperatures": [0.3]}
    for resume in (False, True):
        with pytest.raises(StoreError, match=r"holds another run, with other temperatures.*--overwrite"):
            sp.sweep(BOWL, **other, store=tmp_path / "s.zarr", resume=resume)
    assert sp.sweep(BOWL, **other, store=tmp_path / "s.zarr", overwrite=True).sizes["temperature"] == 1


@pytest.mark.parametrize("calls", [1, 3, 6, 8])
def test_an_interrupted_sweep_goes_on_bit_for_bit(tmp_path, monkeypatch, calls):
    """Every stretch has two frames, so that the break lies inside a point as well as between points."""
    from sgdphys.sweeps import points

    monkeypatch.setattr(points, "_STRETCH_WORK", 1.0)
    options = {**SMALL, "save_at": 7, "keep": "cloud"}
    whole = sp.sweep(DoubleWell(), **options)
    simulate, count = points.simulate, 0

    def interrupted(*args, **kwargs):
        nonlocal count
        count += 1
        if count > calls:
            raise KeyboardInterrupt
        return simulate(*args, **kwargs)

    monkeypatch.setattr(points, "simulate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sp.sweep(DoubleWell(), **options, store=tmp_path / "s.zarr")
    monkeypatch.setattr(points, "simulate", simulate)
    with pytest.raises(StoreError, match="unfinished"):
        sp.sweep(DoubleWell(), **options, store=tmp_path / "s.zarr")
    resumed = sp.sweep(DoubleWell(), **options, store=tmp_path / "s.zarr", resume=True)
    xr.testing.assert_identical(resumed.load(), whole)


def test_a_sweep_that_failed_before_its_first_frame_is_simply_started(tmp_path, monkeypatch):
    from sgdphys.sweeps import points

    def broken(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(points, "simulate", broken)
        with pytest.raises(KeyboardInterrupt):
            sp.sweep(BOWL, **SMALL, store=tmp_path / "s.zarr")
    assert sp.sweep(BOWL, **SMALL, store=tmp_path / "s.zarr").attrs["complete"] == 1


def test_other_random_numbers_are_not_mixed(tmp_path, monkeypatch):
    sp.sweep(BOWL, **SMALL, store=tmp_path / "s.zarr")
    monkeypatch.setattr("sgdphys.schema.RNG_VERSION", 99)
    with pytest.raises(StoreError, match="random numbers of version 1, this sgdphys makes version 99"):
        sp.sweep(BOWL, **SMALL, store=tmp_path / "s.zarr")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperatures": []}, "temperatures must hold at least one value"),
        ({"temperatures": [0.0]}, "temperature must be positive and finite, got 0.0"),
        ({"seeds": [-1]}, "every seed must be a whole number"),
        ({"seeds": [0, 0]}, "each value once"),
        ({"n_particles": 9}, "at least 10, got 9"),
        ({"save_at": 0}, "at least one frame"),
        ({"dt": math.inf}, "dt must be positive"),
        ({"keep": "all"}, "keep must be"),
        ({"storage": "float16"}, "storage must be"),
        ({"start": math.nan}, "start must be finite"),
        ({"n_steps": None}, "exactly one of t1="),
        ({"start": xr.Dataset()}, "got a Dataset; use simulate"),
    ],
)
def test_refusals(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        sp.sweep(BOWL, **{**SMALL, **change}, store=tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr").exists()


def test_the_time_step_is_suggested_and_stored():
    sweep = sp.sweep(Quadratic(np.diag([4.0])), temperatures=[0.1, 0.2], n_steps=20, n_particles=50)
    dt = sp.sweeps.suggested_time_step(Quadratic(np.diag([4.0])), 0.2)
    assert json.loads(sweep.attrs["configuration"])["dt"] == dt == 0.01
    assert float(sweep["time"][-1]) == pytest.approx(20 * dt)
    stronger = sp.sweep(Expression("x**4"), Isotropic(100.0), temperatures=[0.1], n_steps=20, n_particles=50)
    assert json.loads(stronger.attrs["configuration"])["dt"] == sp.sweeps.suggested_time_step(Expression("x**4"), 10.0)


def test_overwrite_and_resume_together_are_refused(tmp_path):
    with pytest.raises(ValueError, match="give one of them, got both"):
        sp.sweep(BOWL, **SMALL, store=tmp_path / "s.zarr", overwrite=True, resume=True)


def test_moments_are_those_of_the_kept_cloud():
    tilted = Expression("x**2/2 + x**4/8 - 0.8*x")  # not symmetric: means matter
    result = sp.sweep(
        tilted,
        temperatures=[0.1, 0.3],
        dt=0.02,
        n_steps=400,
        n_particles=400,
        save_at=3,
        keep="cloud",
        storage="float64",
    )
    x = result["position"].values[..., 0]  # (temperature, seed, time, particle)
    count = x.shape[-1]
    assert np.allclose(result["mean"].values[..., 0], x.mean(-1), rtol=1e-12)
    assert np.allclose(result["covariance"].values[..., 0, 0], x.var(-1), rtol=1e-10)
    assert np.allclose(result["mean_standard_error"].values[..., 0], x.std(-1) / count**0.5, rtol=1e-10)
    fourth = ((x - x.mean(-1, keepdims=True)) ** 4).mean(-1)
    error = np.sqrt(np.maximum(fourth - x.var(-1) ** 2, 0) / count)
    assert np.allclose(result["variance_standard_error"].values[..., 0], error, rtol=1e-8)


def test_stationary_variance_of_an_asymmetric_well_is_centred():
    tilted = Expression("x**2/2 + x**4/8 - 0.8*x")
    result = sp.sweep(tilted, temperatures=[0.1, 0.3], dt=0.02, n_steps=4, n_particles=50, save_at=2)
    points = np.linspace(-4, 4, 20_001)
    for temperature, found in zip((0.1, 0.3), result["stationary_variance"].values[:, 0], strict=True):
        weight = np.exp(-(points**2 / 2 + points**4 / 8 - 0.8 * points) / temperature)
        mean = (points * weight).sum() / weight.sum()
        exact = ((points - mean) ** 2 * weight).sum() / weight.sum()
        assert found == pytest.approx(exact, rel=2e-3)  # grid spacing; uncentred it would be several times as large
        assert mean**2 > exact


def test_noise_that_depends_on_the_place_has_no_reference_and_needs_a_time_step():
    """D at the origin stands for no D(x): nothing is suggested or compared from it."""
    noise = Formula("1 + x**2")
    with pytest.raises(ValueError, match="give dt=: no time step is suggested for noise whose D depends on x"):
        sp.sweep(BOWL, noise, **{**SMALL, "dt": None})
    assert np.all(np.isnan(list(reference_of(BOWL, noise, 0.1, None, None).stationary["variance"])))
