"""Fuzz: any numbers, sizes, frames, threads, blocks, cuts and observers over a few compiled templates.

What must hold whatever is drawn: no exception, and no warning but that of divergence; NaN exactly where a particle is
marked as lost; a time axis that sums the steps; and every bit the same for any threads, blocks, size of the ensemble,
choice of frames, cut of the run, and after resumption. Particles that are lost in one of two runs that are cut at other
places are left out of the comparison: whose bound it crosses depends on the length of the run.
"""

import tempfile
import warnings
from contextlib import suppress
from unittest import mock

import numpy as np
import pytest
from asserts import assert_same_bits
from fuzz_templates import TEMPLATES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sgdphys as sp
from sgdphys.errors import DivergenceWarning
from sgdphys.simulation.engine import Ensemble

FEW, MANY = 4, 15
COMMON = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@st.composite
def drawn_options(draw, template):
    """Draw the arguments of a run; the scale goes over four decades, beyond what is stable."""
    options = {
        "n_particles": draw(st.sampled_from([1, 2, 3, 8, 17, 63, 64, 65, 200, 500, 4097])),
        "start": draw(st.sampled_from([0.0, 0.3, -1.5, 4.0])),
        "seed": draw(st.integers(0, 2**70)),
        "point": draw(st.sampled_from([(), (0,), (3, 1)])),
    }
    n_steps = draw(st.integers(1, 40))
    length = 10 ** draw(st.floats(-4.0, 0.7))
    if template.sgd is None:
        temperature = draw(st.sampled_from([0.0, 1e-9, 0.05, 1.0, 30.0]))
        return options | {"temperature": of_time(template, temperature), "dt": length, "n_steps": n_steps}
    sizes = [draw(st.integers(*template.batch_sizes)) for _ in range(3)]
    each = [sp.SGD(lr=length / (k + 1), batch_size=size, **template.sgd) for k, size in enumerate(sizes)]
    if not template.stages:
        return options | {"sgd": each[0], "n_steps": n_steps}
    return options | {"sgd": sp.SGDSchedule([(sgd, draw(st.integers(1, 14))) for sgd in each])}


def of_time(template, temperature):
    if template.temperature is None:
        return temperature
    return lambda times: temperature * template.temperature(times)


def run(template, options, **more):
    """Return the cloud and the messages of its divergence warnings; any other warning is an error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", DivergenceWarning)
        arguments = {"integrator": template.integrator, "threads": 1, "save_at": 10**6, **options, **more}
        return sp.simulate(template.landscape, template.noise, **arguments), caught


def assert_nan_exactly_where_lost(cloud, caught):
    """NaN comes with the mark, stays, fills all of the particle, and there is one warning or none."""
    lost = cloud["diverged"].values
    for name in {"position", "velocity"} & set(cloud):
        finite = np.isfinite(cloud[name].values)
        assert np.array_equal(finite.any(axis=2), finite.all(axis=2))
        assert np.all(np.diff(finite.all(axis=2).astype(int), axis=0) <= 0)
        assert np.array_equal(~finite[-1].all(axis=1), lost)
    assert len(caught) == bool(lost.any())
    assert all("\n" not in str(each.message) for each in caught)


def assert_time_axis(cloud, options):
    """Times are the sums of the steps before."""
    if isinstance(options.get("sgd"), sp.SGDSchedule):
        lengths = np.concatenate([np.full(steps, sgd.lr) for sgd, steps in options["sgd"].stages])
    else:
        dt = options["dt"] if "dt" in options else options["sgd"].lr / options["substeps"]
        lengths = np.full(options["n_steps"], dt)
    np.testing.assert_array_equal(cloud["step"], np.arange(len(lengths) + 1))
    np.testing.assert_allclose(cloud["time"], np.append(0.0, np.cumsum(lengths)), rtol=1e-12)


def assert_same_particles(first, second):
    """The states of all who live in both clouds agree to the bit, up to the precision of the first one."""
    which = ~(first["diverged"].values | second["diverged"].values)
    for name in {"position", "velocity"} & set(first):
        values = first[name].values[:, which]
        assert_same_bits(values, second[name].values[:, which].astype(values.dtype))


def check_frames(template, options, data):
    """Other threads, blocks, precision and frames change nothing; the first particles do not know of the others."""
    whole, caught = run(template, options)
    assert_nan_exactly_where_lost(whole, caught)
    assert_time_axis(whole, options | {"substeps": template.substeps})
    last = whole.sizes["time"] - 1
    frames = sorted(set(data.draw(st.lists(st.integers(0, last), max_size=6))))
    more = {
        "threads": data.draw(st.integers(1, 3)),
        "block_size": data.draw(st.sampled_from([None, 64, 256, 4096])),
        "save_at": whole["time"].values[frames],
    }
    some, _ = run(template, options, **more)
    if frames:
        assert_same_bits(some.drop_attrs(), whole.isel(time=frames).drop_attrs())
    else:
        assert "position" not in some
        assert_same_bits(some["diverged"].values, whole["diverged"].values)
    count = data.draw(st.integers(1, options["n_particles"]))
    few, _ = run(template, options | {"n_particles": count}, storage=data.draw(st.sampled_from(["float64", "float32"])))
    assert_same_particles(few, whole.isel(particle=slice(count)))


def check_cut(template, options, data):
    """Two runs, the second from the first one's cloud, are one run."""
    whole, _ = run(template, options)
    last = whole.sizes["time"] - 1
    if last < 2:
        return
    cut = data.draw(st.integers(1, last - 1))
    first, _ = run(template, options | {"n_steps": cut}, save_at=data.draw(st.sampled_from([1, 2, 10**6])))
    rest = options | {"n_steps": last - cut, "n_particles": None, "start": first}
    second, _ = run(template, rest, threads=2)
    assert_same_particles(second, whole.isel(time=slice(cut, None)))
    for name in {"time", "step", "epoch", "epoch_phase"} & set(whole.coords):
        np.testing.assert_allclose(second[name], whole[name][cut:], rtol=1e-13)


def check_resumption(template, options, data):
    """A run that is interrupted anywhere and resumed from its store is the uninterrupted one."""
    save_at = data.draw(st.sampled_from([0, 1, 2, 5, 10**6]))
    whole, _ = run(template, options, save_at=save_at)
    calls, advance = iter(range(data.draw(st.integers(0, 12)))), Ensemble.advance

    def advance_some(*arguments):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        advance(*arguments)

    with tempfile.TemporaryDirectory() as folder:
        stored = {"save_at": save_at, "store": f"{folder}/run.zarr"}
        with (
            mock.patch("sgdphys.simulation.stretches.SECONDS", 1e-12),
            mock.patch.object(Ensemble, "advance", advance_some),
            suppress(KeyboardInterrupt),
        ):
            run(template, options, **stored)
        resumed, _ = run(template, options, **stored, resume=True, threads=2, block_size=128)
        names = {"position", "velocity", "diverged"} & set(whole)
        assert_same_bits(resumed[sorted(names)].load().drop_attrs(), whole[sorted(names)].drop_attrs())


CHECKS = {"frames": check_frames, "cut": check_cut, "resumption": check_resumption}


def fuzz(name, check, examples):
    @settings(max_examples=examples, **COMMON)
    @given(st.data())
    def try_out(data):
        template = TEMPLATES[name]
        CHECKS[check](template, data.draw(drawn_options(template)), data)

    try_out()


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_few(name, check):
    fuzz(name, check, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", TEMPLATES)
def test_many(name, check):
    fuzz(name, check, MANY)
