"""The same bits for any threads, block size, size of the ensemble, choice of frames, and cut of the run."""

import dataclasses

import numpy as np
import pytest
from asserts import assert_same_bits

import sgdphys as sp
from sgdphys.noises import Diagonal, Full, Isotropic, LowRank
from sgdphys.simulation.engine import choose_width
from sgdphys.simulation.timetable import Timetable

DIM = 7
ROOT = np.random.default_rng(5).normal(size=(DIM, 3))
MATRIX = np.cov(np.random.default_rng(6).normal(size=(DIM, 30)))
BOWL = sp.landscapes.Quadratic(MATRIX + np.eye(DIM))
HEAVY = sp.SGD(lr=0.1, batch_size=2, momentum=0.9, weight_decay=0.1)
WAVES = sp.landscapes.Expression("exp(x)*sin(3*y) + x**2 + y**4")
SUM = sp.landscapes.LeastSquares(np.random.default_rng(7).normal(size=(10, 3)), np.arange(10.0))
SHUFFLED = sp.SGD(lr=0.05, batch_size=3, momentum=0.5, sampling="shuffle", n_samples=10)
STAGES = sp.SGDSchedule([(SHUFFLED, 10), (dataclasses.replace(SHUFFLED, lr=0.01, batch_size=4), 30)])
CASES = {
    "double well": (sp.landscapes.DoubleWell(), Isotropic(1.0), {"temperature": 0.1, "dt": 0.02}),
    "formula": (WAVES, Diagonal([1.0, 2.0]), {"temperature": 0.1, "dt": 0.02}),
    "Mueller-Brown": (sp.landscapes.MuellerBrown(), Isotropic(1.0), {"temperature": 10.0, "dt": 1e-4}),
    "matrix, full": (BOWL, Full(MATRIX), {"temperature": 0.1, "dt": 0.05}),
    "matrix, low rank": (BOWL, LowRank(ROOT), {"temperature": 0.1, "dt": 0.05}),
    "heavy ball": (BOWL, LowRank(ROOT), {"sgd": HEAVY}),
    "SGD": (BOWL, Full(MATRIX), {"sgd": sp.SGD(lr=0.1, batch_size=2)}),
    "annealed": (BOWL, Full(MATRIX), {"temperature": sp.schedules.Linear(0.2, 0.1, 0.0, 1.0), "dt": 0.05}),
    "minibatches": (SUM, None, {"sgd": sp.SGD(lr=0.05, batch_size=5, sampling="without")}),
    "shuffled in stages": (SUM, None, {"sgd": STAGES}),
}  # fmt: skip


@pytest.fixture(params=CASES)
def simulate(request):
    """Return a function that runs one of the cases; step numbers are such that groups of four are cut."""
    landscape, noise, options = CASES[request.param]

    def run(**more):
        defaults = {"n_steps": 27, "n_particles": 1000, "start": 0.1, "seed": 3, "save_at": 4, "threads": 1}
        return sp.simulate(landscape, noise, **{**options, **defaults, **more})

    return run


@pytest.mark.parametrize(("threads", "block_size"), [(2, None), (1, 64), (2, 64), (5, 256), (1, 1024), (2, 4096)])
def test_threads_and_blocks(simulate, threads, block_size):
    assert_same_bits(simulate(threads=threads, block_size=block_size), simulate())


def test_the_first_particles_of_a_larger_ensemble(simulate):
    first, of_many = simulate(n_particles=1000), simulate(n_particles=5000)
    assert_same_bits(first, of_many.isel(particle=slice(0, 1000)))
    for few in (1, 2, 3, 9, 40):
        assert_same_bits(simulate(n_particles=few)["position"].values, first["position"].values[:, :few])


@pytest.mark.parametrize("half", [1, 3, 4, 10, 26])
def test_one_run_or_two(simulate, half):
    whole = simulate(save_at=28)
    first = simulate(n_steps=half, save_at=half + 1)
    second = simulate(n_steps=27 - half, start=first, n_particles=None, save_at=28 - half)
    assert_same_bits(first, whole.isel(time=slice(0, half + 1)))
    assert_same_bits(second, whole.isel(time=slice(half, None)))


def test_choice_of_frames(simulate):
    whole = simulate(save_at=28)
    some = simulate(save_at=whole["time"].values[[3, 4, 20]])
    assert_same_bits(some, whole.isel(time=[3, 4, 20]))
    assert_same_bits(simulate(save_at=1), whole.isel(time=[27]))
    assert_same_bits(simulate(save_at=4), whole.isel(time=[0, 9, 18, 27]))


def test_short_stretches(simulate, monkeypatch):
    whole = simulate(save_at=28)
    monkeypatch.setattr("sgdphys.simulation.stretches.SECONDS", 1e-12)
    assert_same_bits(simulate(save_at=28), whole)


def test_single_precision_is_the_rounded_result(simulate):
    double, single = simulate(), simulate(storage="float32")
    for name in {"position", "velocity", "diverged"} & set(double):
        assert single[name].dtype == (bool if name == "diverged" else np.float32)
        assert_same_bits(single[name].values, double[name].values.astype(single[name].dtype))


def test_seeds_and_points_give_other_noise(simulate):
    reference = simulate()["position"].values[-1]
    assert_same_bits(simulate(point=())["position"].values[-1], reference)
    for other in ({"seed": 4}, {"point": (0,)}, {"point": (1,)}):
        assert not np.any(simulate(**other)["position"].values[-1] == reference)


def test_noise_of_different_points_is_not_correlated():
    flat, n = sp.landscapes.Quadratic(0.0), 200_000
    common = {"temperature": 0.5, "dt": 1.0, "n_steps": 1, "save_at": 1}
    kicks = [
        sp.simulate(flat, n_particles=n, seed=seed, point=point, **common)["position"].values.ravel()
        for seed, point in ((0, ()), (0, (0,)), (0, (1,)), (1, ()), (0, (0, 1)))
    ]
    correlation = np.corrcoef(kicks)[np.triu_indices(5, 1)]
    assert np.all(np.abs(correlation) * np.sqrt(n) < 4)


def test_ensembles_beyond_the_low_word_of_the_step():
    """A continued run far out in time: the high bits of the step reach the counter."""
    cloud = sp.simulate(sp.landscapes.DoubleWell(), temperature=0.1, dt=0.01, n_steps=1, n_particles=5, save_at=1)
    late = cloud.assign_coords(step=("time", [4 * 2**32 + 2]), time=[0.01 * (4 * 2**32 + 2)])
    one = sp.simulate(sp.landscapes.DoubleWell(), temperature=0.1, dt=0.01, n_steps=3, start=late, save_at=4)
    early = cloud.assign_coords(step=("time", [2]), time=[0.02])
    other = sp.simulate(sp.landscapes.DoubleWell(), temperature=0.1, dt=0.01, n_steps=3, start=early, save_at=4)
    assert one["step"].values.tolist() == [4 * 2**32 + 2 + k for k in range(4)]
    assert not np.any(one["position"].values[1:] == other["position"].values[1:])


def test_overflow_of_the_step_counter_is_refused():
    cloud = sp.simulate(sp.landscapes.DoubleWell(), temperature=0.1, dt=0.01, n_steps=1, n_particles=5, save_at=1)
    last = cloud.assign_coords(step=("time", [2**48 - 1]), time=[0.01 * (2**48 - 1)])
    with pytest.raises(ValueError, match="number at most 281474976710656 steps"):
        sp.simulate(sp.landscapes.DoubleWell(), temperature=0.1, dt=0.01, n_steps=2, start=last)


@pytest.mark.parametrize(
    ("arguments", "width"),
    [
        ((1, 1, 1, 1, None), 64),
        ((10, 1, 1, 1, None), 64),
        ((1, 1, 1, 1, 1), 1),
        ((10, 1, 1, 1, 16), 16),
        ((64, 1, 1, 1, None), 64),
        ((1000, 1, 1, 2, None), 512),
        ((2100, 1, 1, 2, None), 128),
        ((10**6, 1, 1, 2, None), 2048),
        ((10**6, 100, 100, 2, None), 64),
        ((10, 1, 1, 1, 4096), 4096),
    ],
)
def test_width_of_a_block(arguments, width):
    assert choose_width(*arguments) == width


@pytest.mark.parametrize("block_size", [0, 3, 100, 8192, 64.5, "64"])
def test_other_widths_are_refused(block_size):
    with pytest.raises(ValueError, match="block_size must be a power of two from 64 to 4096"):
        choose_width(10, 1, 1, 1, block_size)


def test_a_narrow_block_holds_all_particles():
    with pytest.raises(ValueError, match="block_size below 64 must hold all 10 particles, got 8"):
        choose_width(10, 1, 1, 1, 8)


@pytest.mark.parametrize("n_particles", [1, 3, 16])
def test_narrow_blocks_are_the_same_up_to_rounding(simulate, n_particles):
    """Their normals are made for many steps at once; a formula of several products may be rounded otherwise."""
    narrow = simulate(n_particles=n_particles, block_size=16 if n_particles > 1 else 1)
    wide = simulate(n_particles=n_particles)
    np.testing.assert_allclose(narrow["position"], wide["position"], rtol=1e-9, atol=1e-12)


def test_a_timetable_says_where_each_step_goes():
    table = Timetable(np.array([0, 5, 10]), (np.array([5, 7]), np.array([], dtype=np.int64)))
    assert table.all_steps().tolist() == [0, 5, 7, 10]
    saved, observed = table.rows(np.array([5, 7, 9, 10]), first_frame=1)
    assert saved.tolist() == [0, -1, -1, 1]
    assert observed.tolist() == [[0, 1, -1, -1], [-1, -1, -1, -1]]
