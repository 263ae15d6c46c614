"""Where particles start: every form that is allowed, and what is refused."""

import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys.simulation.starts import continued_state, describe_start, is_told, starting_positions

LINE, PLANE = sp.landscapes.DoubleWell(), sp.landscapes.MuellerBrown()
ARRAY = np.random.default_rng(0).normal(size=(6, 2))


def positions(start, landscape=PLANE, n_particles=6, seed=0, point=()):
    return starting_positions(start, landscape, n_particles, seed, point)


@pytest.mark.parametrize(
    ("start", "landscape", "expected"),
    [
        (0.5, PLANE, np.full((6, 2), 0.5)),
        ([1.0, 2.0], PLANE, np.tile([1.0, 2.0], (6, 1))),
        (ARRAY, PLANE, ARRAY),
        (ARRAY[:, 0], LINE, ARRAY[:, :1]),
        (ARRAY[:, :1], LINE, ARRAY[:, :1]),
        ([3.0], LINE, np.full((6, 1), 3.0)),
        (None, LINE, np.full((6, 1), -1.0)),
        (None, sp.landscapes.Expression("x + y"), np.zeros((6, 2))),
        (lambda _: 2.0, LINE, np.full((6, 1), 2.0)),
    ],
)
def test_forms(start, landscape, expected):
    np.testing.assert_array_equal(positions(start, landscape), expected)


def test_a_random_start_depends_on_seed_and_point_alone():
    def draw(generator):
        return generator.normal(size=(6, 2))

    assert np.array_equal(positions(draw, seed=1), positions(draw, seed=1))
    assert not np.any(positions(draw, seed=1) == positions(draw, seed=2))
    assert not np.any(positions(draw, seed=1) == positions(draw, seed=1, point=(1,)))


@pytest.mark.parametrize(("start", "n"), [(ARRAY, 6), (0.0, 10_000), (None, 10_000), ([1.0, 2.0], 10_000)])
def test_the_number_of_particles_follows_from_an_array(start, n):
    assert positions(start, n_particles=None).shape == (n, 2)


def test_one_particle_on_a_line():
    assert positions([2.0], LINE, 1).tolist() == [[2.0]]
    assert positions(np.array([1.0, 2.0, 3.0]), LINE, None).tolist() == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (float("nan"), "start must be finite, got nan"),
        ([1.0, float("inf")], "got inf"),
        ([1.0, 2.0, 3.0], r"shape \(2,\) or \(6, 2\), .*got shape \(3,\)"),
        (np.zeros((5, 2)), r"got shape \(5, 2\)"),
        (np.zeros((6, 3)), r"got shape \(6, 3\)"),
        ("left", "a number, an array, a function of a random generator or an earlier cloud, got 'left'"),
        ([[1.0], [1.0, 2.0]], "a number, an array"),
        (lambda _: np.nan, "start must be finite"),
    ],
)
def test_refused_starts(start, message):
    with pytest.raises(ValueError, match=message):
        positions(start)


@pytest.fixture
def cloud():
    return sp.simulate(LINE, temperature=0.1, dt=0.1, n_steps=4, n_particles=6, save_at=3)


def test_a_cloud_is_continued_from_its_last_frame(cloud):
    state, step = continued_state(cloud, 1, None, 1)
    np.testing.assert_array_equal(state, cloud["position"].values[-1])
    assert step == 4
    assert continued_state(cloud.isel(time=[0, 1]), 1, 6, 1)[1] == 2


@pytest.mark.parametrize(
    ("change", "dim", "n_particles", "rows", "message"),
    [
        (lambda cloud: cloud.drop_vars("position"), 1, None, 1, "a cloud needs position"),
        (lambda cloud: cloud.drop_vars("step"), 1, None, 1, "coordinate 'step'"),
        (lambda cloud: cloud.isel(time=[]), 1, None, 1, "at least one frame"),
        (lambda cloud: cloud.astype("float32"), 1, None, 1, "stored as float32"),
        (lambda cloud: cloud, 2, None, 2, "the cloud has 1 coordinates, the landscape has 2"),
        (lambda cloud: cloud, 1, 7, 1, "the cloud has 6 particles, n_particles is 7; leave n_particles out"),
        (lambda cloud: cloud, 1, None, 2, "no velocity"),
    ],
)
def test_clouds_that_cannot_be_continued(cloud, change, dim, n_particles, rows, message):
    with pytest.raises(ValueError, match=message):
        continued_state(change(cloud), dim, n_particles, rows)


def test_descriptions_tell_starts_apart(cloud):
    starts = [None, 1.0, 2.0, [1.0, 2.0], np.zeros((50, 2)), np.ones((50, 2)), cloud, cloud.isel(time=[0]), positions]
    texts = [repr(describe_start(start)) for start in starts]
    assert len(set(texts)) == len(texts)
    assert all(len(text) < 300 for text in texts)
    assert [is_told(start) for start in starts] == [True] * 4 + [False] * 5
    assert describe_start(np.random.Generator.normal)["source"] is None
    assert isinstance(cloud, xr.Dataset)
