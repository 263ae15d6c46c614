"""What every observer promises: the same bits for any threads, blocks and interruptions, lost particles left out."""

import dataclasses
import warnings

import numpy as np
import pytest
from asserts import assert_same_bits

import sgdphys as sp
from sgdphys.errors import DivergenceWarning
from sgdphys.landscapes.driven import Driven
from sgdphys.noises import Full
from sgdphys.observers import (
    Currents,
    FirstPassage,
    Histogram,
    MeanSquaredDisplacement,
    Moments,
    Snapshots,
    TimeCorrelation,
    Work,
)
from sgdphys.simulation.engine import Ensemble

BOWL = sp.landscapes.Quadratic([[1.0, 0.3], [0.3, 2.0]])
PULLED = Driven(BOWL, sp.landscapes.Linear([1.0, -0.5]), sp.schedules.Linear(0.0, 0.5, begin=0.3, end=1.5))
OBSERVERS = {
    "moments": Moments(at=4),
    "first passage": FirstPassage("x < 0"),
    "histogram": Histogram(30, (-1.0, 1.5), at=5),
    "histogram in the plane": Histogram((6, 7), ((-1, 1.5), (-0.5, 1)), coordinates=("y", 0), at=[0.5, 2.0]),
    "displacement": MeanSquaredDisplacement(lags=6, origin=[0.0, 0.7]),
    "correlation": TimeCorrelation(lags=[0.0, 0.05, 1.0], origin=[0.1, 1.0]),
    "currents": Currents(at=3),
    "weighted currents": Currents(weight=[[1.0, 2.0], [0.0, -1.0]], at=[0.1, 2.0]),
    "snapshots": Snapshots(last=3, every=4),
    "work": Work(),
    "work of another energy": Work(energy=sp.landscapes.Quadratic(np.diag([2.0, 1.0]))),
}
PER_PARTICLE = ["first_passage_time", "integrated_current", "work", "reduced_work", "heat"]


def run(observer, **options):
    defaults = {
        "temperature": sp.schedules.Linear(0.2, 0.3, begin=0.0, end=2.0), "dt": 0.05, "n_steps": 40, "save_at": 0,
        "n_particles": 9000, "start": [0.8, 0.2], "seed": 5, "threads": 1,
    }  # fmt: skip
    return sp.simulate(PULLED, Full([[1.0, 0.5], [0.5, 1.0]]), observers=[observer], **{**defaults, **options})


@pytest.fixture(params=OBSERVERS)
def observer(request):
    return OBSERVERS[request.param]


@pytest.mark.parametrize(("threads", "block_size"), [(1, 64), (2, None), (3, 256), (2, 4096)])
def test_threads_and_blocks(observer, threads, block_size):
    assert_same_bits(run(observer, threads=threads, block_size=block_size), run(observer))


def test_short_stretches(observer, monkeypatch):
    whole = run(observer)
    monkeypatch.setattr("sgdphys.simulation.stretches.SECONDS", 1e-12)
    assert_same_bits(run(observer, block_size=128), whole)


def test_an_interrupted_run_goes_on(observer, tmp_path, monkeypatch):
    path = tmp_path / "run.zarr"
    options = {"save_at": 9, "n_particles": 300}
    monkeypatch.setattr("sgdphys.simulation.stretches.SECONDS", 1e-12)
    calls, advance = iter(range(17)), Ensemble.advance

    def advance_some(*arguments):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        advance(*arguments)

    monkeypatch.setattr(Ensemble, "advance", advance_some)
    with pytest.raises(KeyboardInterrupt):
        run(observer, store=path, block_size=64, **options)
    monkeypatch.undo()
    resumed = run(observer, store=path, resume=True, threads=2, block_size=128, **options)
    assert_same_bits(resumed.drop_attrs(), run(observer, **options))


def test_the_first_particles_of_a_larger_ensemble(observer):
    few, many = run(observer, n_particles=200), run(observer)
    for name in {*PER_PARTICLE, "snapshot_position"} & set(few):
        assert_same_bits(few[name].values, many[name].isel(particle=slice(0, 200)).values)


def test_a_name_goes_before_all_that_is_the_observers_own(observer):
    plain = run(observer, n_particles=1000)
    named = run(dataclasses.replace(observer, name="left"), n_particles=1000)
    own = set(plain.variables) - {"diverged", "coordinate"}
    assert {f"left_{name}" for name in own} == set(named.variables) - {"diverged", "coordinate"}
    for name in own:
        assert_same_bits(named[f"left_{name}"].values, plain[name].values)
        assert named[f"left_{name}"].attrs == plain[name].attrs


@pytest.mark.parametrize("name", ["a b", "1st", "x-y", 3])
def test_names_that_are_no_words_are_refused(name):
    with pytest.raises(ValueError, match="name must be a word"):
        Moments(name=name)


def test_lost_particles_do_not_poison(observer):
    """The first 60 of 200 particles start beyond the reach of the step; without them the results are the same."""
    quartic = Driven(
        sp.landscapes.Expression("x**4/4 + y**2"), sp.landscapes.Linear([1.0, 0.0]), sp.schedules.Linear(0, 0.01, 0, 2)
    )
    start = np.full((200, 2), 0.1)
    start[60:120] = 50.0

    def steep(start):
        options = {"temperature": sp.schedules.Constant(0.01), "dt": 0.1, "n_steps": 20, "save_at": 0, "seed": 1}
        watcher = observer if not isinstance(observer, Work) else Work()
        return sp.simulate(quartic, start=start, observers=[watcher, Snapshots(name="end")], **options)

    with pytest.warns(DivergenceWarning):
        cloud = steep(start)
    lost = cloud["diverged"].values
    assert lost.sum() == 60
    for name in set(PER_PARTICLE) & set(cloud) - {"first_passage_time"}:
        assert np.isnan(cloud[name].values[lost]).all()
        assert np.isfinite(cloud[name].values[~lost]).all()
    for name in ["exponential_work", "current_mean", "mean", "mean_squared_displacement", "time_correlation"]:
        if name in cloud:
            last = np.atleast_1d(cloud[name].values)[-1]
            last = last[-1] if "lag" in str(cloud[name].dims) else last  # the longest lag, when the lost are gone
            assert np.all(np.abs(last) < 10)
    counts = [cloud[name].values.ravel()[-1] for name in cloud if name.endswith("_count") and "histogram" not in name]
    assert all(count == 140 for count in counts)
    if "histogram_lost" in cloud:
        inside = cloud["histogram_count"].values[-1].sum() + cloud["histogram_below"].values[-1].sum()
        assert int(cloud["histogram_lost"][-1]) == 60
        assert inside + cloud["histogram_above"].values[-1].sum() == 140


BYTES = {  # per particle, in two coordinates, as the docstrings say
    "moments": 4 * 11 / 256, "first passage": 8, "histogram": 0, "histogram in the plane": 0,
    "displacement": 2 * 16 + 12 * 7 / 512, "correlation": 2 * 16 + 6 * 13 / 512, "currents": 8 + 3 / 51,
    "weighted currents": 8 + 2 / 51, "snapshots": 3 * 16, "work": 24, "work of another energy": 24,
}  # fmt: skip


@pytest.mark.parametrize("which", OBSERVERS)
def test_memory_is_what_the_docstrings_say(which, monkeypatch):
    n, seen = 2**18, []
    make = Ensemble.__init__

    def watched(ensemble, *arguments):
        make(ensemble, *arguments)
        seen.append(ensemble.memory.own.nbytes + ensemble.memory.tables.nbytes)

    monkeypatch.setattr(Ensemble, "__init__", watched)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        run(OBSERVERS[which], n_particles=n, n_steps=40)
    assert abs(seen[0] / n - BYTES[which]) < 0.01 * BYTES[which] + 0.3  # .3: tables for each thread


def test_two_observers_of_one_kind_need_names():
    with pytest.raises(ValueError, match="two observers give the variable"):
        sp.simulate(BOWL, temperature=0.1, dt=0.1, n_steps=2, observers=[Moments(at=2), Moments(at=3)])
    cloud = sp.simulate(
        BOWL, temperature=0.1, dt=0.1, n_steps=2, save_at=0,
        observers=[Moments(at=2), Moments(at=3, name="fine"), FirstPassage("x > 0"), FirstPassage("y > 1", name="up")],
    )  # fmt: skip
    assert cloud["mean"].shape == (2, 2)
    assert cloud["fine_mean"].dims == ("fine_moment_time", "coordinate")
    assert "up_first_passage_time" in cloud
