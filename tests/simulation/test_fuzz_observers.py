"""Fuzz of observers: what they reduce during the run is the same reduction of the frames, whatever is drawn."""

import dataclasses

import numpy as np
import pytest
from asserts import assert_same_bits
from fuzz_templates import TEMPLATES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sgdphys as sp
from sgdphys.observers import (
    Currents,
    FirstPassage,
    Histogram,
    MeanSquaredDisplacement,
    Moments,
    Snapshots,
    TimeCorrelation,
)

FEW, MANY = 5, 30
COMMON = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
WATCHED = ["Euler", "Milstein", "heavy ball", "driven", "shuffle in stages", "UBU", "Euler of SGD in stages"]


def drawn_run(template, data):
    """Return the cloud of all frames with every observer, at a step that is stable, and the options."""
    dim, n_steps = template.landscape.dim, data.draw(st.integers(3, 30))
    lr, size = data.draw(st.floats(1e-3, 0.05)), data.draw(st.integers(1, 6))
    options = {"n_particles": data.draw(st.sampled_from([1, 2, 65, 300, 4200])), "seed": data.draw(st.integers(0, 99))}
    if template.sgd is None:
        options |= {"temperature": data.draw(st.sampled_from([0.0, 0.1, 1.0])), "dt": lr, "n_steps": n_steps}
    else:
        sgd = sp.SGD(lr=lr, batch_size=size, **template.sgd)
        stages = [(sgd, n_steps), (dataclasses.replace(sgd, lr=lr / 3, batch_size=2 * size), 5)]
        options |= {"sgd": sp.SGDSchedule(stages)} if template.stages else {"sgd": sgd, "n_steps": n_steps}
    total = n_steps + 5 * template.stages
    low = data.draw(st.floats(-2.0, 0.5))
    observers = [
        Moments(at=data.draw(st.integers(1, 8))),
        Histogram(data.draw(st.integers(1, 40)), (low, low + data.draw(st.floats(1e-6, 4.0))), at=3),
        FirstPassage(data.draw(st.sampled_from(["x > 0.5", "x < 0 or x > 1", "x > 1e9", "x <= 1e9"]))),
        MeanSquaredDisplacement(data.draw(st.integers(1, 6))),
        TimeCorrelation(data.draw(st.integers(1, 6))),
        Currents(weight=np.arange(1.0, dim**2 + 1).reshape(dim, dim), at=2),
        Snapshots(last=data.draw(st.integers(1, 5)), every=data.draw(st.integers(1, 9))),
        Snapshots(name="end"),
    ]
    options |= {"save_at": 10**6, "integrator": template.integrator, "observers": data.draw(st.permutations(observers))}
    cloud = sp.simulate(template.landscape, template.noise, threads=1, **options)
    assert cloud.sizes["time"] == total + 1
    return cloud, options, next(each for each in observers if isinstance(each, Histogram))


def assert_reductions(cloud, histogram):
    """Each observer's variables follow from the frames."""
    frames, times = cloud["position"].values, cloud["time"].values
    scale = 1e-9 * (1.0 + np.abs(frames).max()) ** 2

    def at(name):
        return frames[np.argmin(np.abs(times - cloud[name].values[:, np.newaxis]), axis=1)]

    def close(name, expected):
        np.testing.assert_allclose(cloud[name].values, expected, rtol=1e-9, atol=scale, err_msg=name)

    close("mean", at("moment_time").mean(axis=1))
    apart = at("moment_time") - at("moment_time").mean(axis=1, keepdims=True)
    close("covariance", np.einsum("tpi,tpj->tij", apart, apart) / frames.shape[1])
    assert_histogram(cloud, at("histogram_time")[..., 0], histogram.axes[0])
    later = at("displacement_lag")
    close("mean_squared_displacement", ((later - frames[0]) ** 2).sum(axis=2).mean(axis=1)[np.newaxis])
    pairs = np.einsum("pi,tpj->tij", frames[0] - frames[0].mean(axis=0), at("correlation_lag"))
    close("time_correlation", pairs[np.newaxis] / frames.shape[1])
    steps, middles = np.diff(frames, axis=0), (frames[1:] + frames[:-1]) / 2
    weight = np.arange(1.0, frames.shape[2] ** 2 + 1).reshape(frames.shape[2], -1)
    close("integrated_current", np.einsum("tpi,ij,tpj->p", steps, weight, middles))
    assert_same_bits(cloud["snapshot_position"].values, at("snapshot_time"))
    assert_same_bits(cloud["end_snapshot_position"].values[0], frames[-1])
    assert_same_bits(cloud["snapshot_time"].values[-1], times[-1])


def assert_histogram(cloud, values, edges):
    """Counts are exact: cells are half open."""
    for row, points in enumerate(values):
        cell = np.searchsorted(edges, points, side="right") - 1
        inside = (cell >= 0) & (cell < len(edges) - 1)
        assert_same_bits(cloud["histogram_count"].values[row], np.bincount(cell[inside], minlength=len(edges) - 1))
        assert cloud["histogram_below"].values[row] == np.sum(cell < 0)
        assert cloud["histogram_above"].values[row] == np.sum(cell >= len(edges) - 1)
    assert not cloud["histogram_lost"].any()


def assert_passages(cloud, region):
    """The time of a passage is that of the first frame in the region."""
    x = cloud["position"].values[..., 0]
    inside = {"x > 0.5": x > 0.5, "x < 0 or x > 1": (x < 0) | (x > 1), "x > 1e9": x > 1e9, "x <= 1e9": x <= 1e9}[region]
    expected = np.where(inside.any(axis=0), cloud["time"].values[np.argmax(inside, axis=0)], np.nan)
    np.testing.assert_allclose(cloud["first_passage_time"], expected, rtol=1e-12)
    assert cloud["first_passage_censored"] == np.isnan(expected).sum()


def fuzz(name, examples):
    @settings(max_examples=examples, **COMMON)
    @given(st.data())
    def try_out(data):
        template = TEMPLATES[name]
        cloud, options, histogram = drawn_run(template, data)
        assert_reductions(cloud, histogram)
        assert_passages(cloud, next(each.region for each in options["observers"] if isinstance(each, FirstPassage)))
        more = {"threads": data.draw(st.integers(1, 3)), "block_size": data.draw(st.sampled_from([None, 64, 1024]))}
        assert_same_bits(sp.simulate(template.landscape, template.noise, **options, **more), cloud)

    try_out()


@pytest.mark.parametrize("name", WATCHED)
def test_a_few(name):
    fuzz(name, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", WATCHED)
def test_many(name):
    fuzz(name, MANY)
