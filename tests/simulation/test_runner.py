"""Stretches, progress, memory, and the Dataset that comes out."""

import json

import numpy as np
import pytest

import sgdphys as sp
from sgdphys import schema
from sgdphys.errors import MemoryLimitError
from sgdphys.kernels.forces import add_force
from sgdphys.kernels.kicks import apply_kick
from sgdphys.kernels.settings import AMPLITUDE, DT
from sgdphys.simulation.dynamics import settle
from sgdphys.simulation.request import Request, plan
from sgdphys.simulation.stretches import Stretches

WELL = sp.landscapes.DoubleWell()
NOTHING = dict.fromkeys(
    ("t1", "n_steps", "n_particles", "threads", "block_size", "store", "progress", "start"), None
) | {"save_at": 0, "observers": (), "seed": 0, "point": (), "storage": "float64"}


def planned(**options):
    dynamics = settle(WELL, None, None, 0.1, 0.01, None)
    flags = dict.fromkeys(("record_potential", "overwrite", "resume"), False)
    return plan(Request(dynamics, **{**NOTHING, **flags, "n_particles": 10, **options}))


@pytest.mark.parametrize("save_at", [0, 1, 2, 101, [0.5], [0.0], [0.3, 1.0], []])
@pytest.mark.parametrize("seconds_per_step", [1e-9, 0.05, 0.2, 10.0])
@pytest.mark.parametrize("frame_bytes", [0, 2**26, 2**28])
def test_stretches_cover_the_run_once_and_stop_at_every_frame(save_at, seconds_per_step, frame_bytes):
    plan_of_run = planned(n_steps=100, save_at=save_at)
    stretches = Stretches(plan_of_run, 1.0, frame_bytes)
    step, fresh, stops, longest = 0, True, [], 0
    while step < 100:
        stretches.seconds_per_step = seconds_per_step
        steps = stretches.after(step, fresh=fresh)
        assert np.all(np.diff(steps) > 0)
        longest = max(longest, int(np.isin(steps, plan_of_run.timetable.saved).sum()))
        stops.extend(steps.tolist())
        step, fresh = int(steps[-1]), False
    assert step == 100
    saved = plan_of_run.timetable.saved
    assert [stop for stop in stops if stop in set(saved.tolist())] == saved.tolist()
    assert longest <= max(1, 2**27 // max(frame_bytes, 1))


def test_the_pace_is_learned():
    stretches = Stretches(planned(n_steps=10**6), 1.0, 0)
    stretches.note(100, 1.0)
    assert stretches.after(0, fresh=False).tolist() == [20]
    stretches.note(0, 0.0)
    assert stretches.after(20, fresh=False).tolist() == [40]


def test_the_dataset_is_a_cloud_with_units_and_configuration():
    cloud = sp.simulate(WELL, temperature=0.1, dt=0.01, t1=0.1, n_particles=5, save_at=3, seed=9, record_potential=True)
    schema.validate_cloud(cloud)
    assert cloud["position"].dims == ("time", "particle", "coordinate")
    np.testing.assert_allclose(cloud["time"], [0.0, 0.05, 0.1])
    assert cloud["step"].values.tolist() == [0, 5, 10]
    assert cloud["coordinate"].values.tolist() == ["x"]
    assert all(cloud[name].attrs == schema.describe(name) for name in ("position", "potential", "time", "diverged"))
    configuration = json.loads(cloud.attrs["configuration"])
    assert configuration["landscape"]["landscape"] == "DoubleWell"
    expected = {"verb": "simulate", "temperature": 0.1, "dt": 0.01, "seed": 9, "n_particles": 5, "last_step": 10}
    assert {key: configuration[key] for key in expected} == expected
    assert cloud.attrs["rng_version"] == schema.RNG_VERSION


def test_potential_is_that_of_the_positions_with_weight_decay():
    sgd = sp.SGD(lr=0.01, batch_size=1, weight_decay=0.5)
    cloud = sp.simulate(WELL, sp.noises.Isotropic(1.0), sgd=sgd, n_steps=20, n_particles=7, record_potential=True)
    x = cloud["position"].values[..., 0]
    np.testing.assert_allclose(cloud["potential"], x**4 / 4 - x**2 / 2 + 0.25 * x**2, rtol=1e-12)


def test_progress_is_shown_when_asked_for_and_hidden_when_not(capsys):
    common = {"temperature": 0.1, "dt": 0.01, "n_steps": 10, "n_particles": 5}
    sp.simulate(WELL, **common)
    sp.simulate(WELL, **common, progress=False)
    assert capsys.readouterr().err == ""
    sp.simulate(WELL, **common, progress=True)
    shown = capsys.readouterr().err
    assert "simulate" in shown
    assert "particle-steps/s" in shown


@pytest.mark.parametrize("options", [{"save_at": 1001}, {"save_at": 2001, "storage": "float32"}])
def test_a_result_too_large_for_memory_is_refused_with_its_size(monkeypatch, options):
    monkeypatch.setattr("sgdphys.simulation.memory.available_memory", lambda: 10**9)
    with pytest.raises(MemoryLimitError, match=r"801 MB|8\.01 GB|8 GB") as refused:
        sp.simulate(WELL, temperature=0.1, dt=0.01, n_steps=3000, n_particles=10**6, **options)
    assert "save_at=0, observers=[...]" in str(refused.value)
    assert "store=" in str(refused.value)


def test_an_ensemble_too_large_for_memory_is_refused_before_it_is_made():
    with pytest.raises(MemoryLimitError, match="the state of 1000000000000 particles: 24 TB are needed"):
        sp.simulate(WELL, temperature=0.1, dt=0.01, n_steps=10, n_particles=10**12, save_at=0)


def half_as_noisy_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """Euler-Maruyama at half the temperature."""
    apply_kick(kick, normals, before, settings[AMPLITUDE] * np.sqrt(0.5), scratch[0], before, after)
    add_force(fields, before, settings, -settings[DT], after)


def test_a_custom_integrator_is_run():
    class Halved(sp.integrators.EulerMaruyama):
        step = property(lambda self: half_as_noisy_step)

    one = sp.simulate(WELL, temperature=0.2, dt=0.01, n_steps=10, n_particles=5, integrator=Halved())
    other = sp.simulate(WELL, temperature=0.1, dt=0.01, n_steps=10, n_particles=5)
    np.testing.assert_allclose(one["position"], other["position"], rtol=1e-14)


def test_a_landscape_without_potential_cannot_record_it():
    class Blunt:
        dim = 1
        gradient_terms = WELL.gradient_terms

    assert sp.simulate(Blunt(), temperature=0.1, dt=0.01, n_steps=2, n_particles=2).sizes["time"] == 3
    with pytest.raises(ValueError, match="Blunt has no potential: leave record_potential out"):
        sp.simulate(Blunt(), temperature=0.1, dt=0.01, n_steps=2, n_particles=2, record_potential=True)


def test_many_times_leave_the_configuration_short():
    times = np.linspace(0, 1, 1000)
    cloud = sp.simulate(WELL, temperature=0.1, dt=0.001, t1=1.0, n_particles=2, save_at=times)
    assert len(cloud.attrs["configuration"]) < 1000
