"""First passages: those of the saved path, with the bridge those of Brownian motion, exits from the double well."""

import naive
import numpy as np
import pytest
from asserts import assert_excluded, assert_same_bits, assert_within
from scipy import special

import sgdphys as sp
from sgdphys.kernels.philox import STREAMS, key_of
from sgdphys.noises import Diagonal, Isotropic
from sgdphys.observers import FirstPassage, Moments


def plane(**options):
    """A cloud in two coordinates; some particles start inside x > 0 and y < 1, some never get there."""
    start = np.stack([np.linspace(-4.0, 0.5, 130), np.linspace(2.0, 0.0, 130)], axis=1)
    defaults = {"temperature": 0.3, "dt": 0.05, "n_steps": 60, "start": start, "seed": 1, "save_at": 61}
    region = FirstPassage("x > 0 and y < 1")
    return sp.simulate(sp.landscapes.Quadratic(0.1 * np.eye(2)), observers=[region], **{**defaults, **options})


def test_equal_the_first_frame_inside():
    cloud = plane()
    exact = [
        naive.first_passage(cloud["position"].values[:, particle], 0.05, lambda x: x[0] > 0 and x[1] < 1)
        for particle in range(130)
    ]
    assert 10 < np.isnan(exact).sum() < 120
    assert np.sum(np.array(exact) == 0.0) > 3
    np.testing.assert_allclose(cloud["first_passage_time"], exact, rtol=1e-12)


@pytest.mark.parametrize(("threads", "block_size"), [(1, 64), (2, 64), (2, 1024), (1, 4096)])
def test_same_bits_for_any_threads_and_blocks(threads, block_size):
    options = {"threads": threads, "block_size": block_size, "save_at": 0}
    assert_same_bits(plane()["first_passage_time"].values, plane(**options)["first_passage_time"].values)


def test_frames_and_other_observers_do_not_matter():
    reference = plane()["first_passage_time"].values
    assert_same_bits(plane(save_at=[0.5, 0.55]), plane(save_at=[0.5, 0.55]))
    assert_same_bits(plane(save_at=0)["first_passage_time"].values, reference)
    start = np.stack([np.linspace(-4.0, 0.5, 130), np.linspace(2.0, 0.0, 130)], axis=1)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(0.1 * np.eye(2)), temperature=0.3, dt=0.05, n_steps=60, start=start, seed=1, save_at=0,
        observers=[Moments(at=4), FirstPassage("x > 0 and y < 1")],
    )  # fmt: skip
    assert_same_bits(cloud["first_passage_time"].values, reference)


def test_continued_runs_go_on_in_time_and_count_anew():
    first = plane(n_steps=30, save_at=1)
    second = plane(n_steps=30, save_at=1, start=first)
    times = np.fmin(first["first_passage_time"].values, second["first_passage_time"].values)
    np.testing.assert_allclose(times, plane()["first_passage_time"].values, rtol=1e-12)
    assert float(second["first_passage_time"].min()) == 1.5


@pytest.mark.parametrize("region", ["x > 1", "1 < x", "x >= 1"])
@pytest.mark.parametrize("noise", [Isotropic(2.0), Diagonal([2.0])], ids=["isotropic", "diagonal"])
def test_with_the_bridge_they_are_those_of_brownian_motion(region, noise):
    """P(tau < t) = erfc(a / sqrt(4 T c t)) at any dt; without it the boundary lies .58 sqrt(2 T c dt) further."""
    n, options = 200_000, {"temperature": 0.25, "dt": 0.05, "t1": 1.0, "start": 0.0, "save_at": 0}
    flat = sp.landscapes.Quadratic(0.0)

    def passed(bridge):
        cloud = sp.simulate(flat, noise, n_particles=n, observers=[FirstPassage(region, bridge=bridge)], **options)
        return float(cloud["first_passage_time"].notnull().mean())

    exact = special.erfc(1 / np.sqrt(4 * 0.25 * 2.0 * 1.0))
    error = np.sqrt(exact * (1 - exact) / n)
    assert_within(passed(True), exact, error)
    assert_excluded(passed(False), exact, error, smallest=40)


def test_the_bridge_works_from_above_and_across_any_coordinate():
    n, flat = 200_000, sp.landscapes.Quadratic(np.zeros((2, 2)))
    cloud = sp.simulate(
        flat, Diagonal([1.0, 2.0]), temperature=0.25, dt=0.1, t1=1.0, start=[0.0, 0.5], n_particles=n, save_at=0,
        observers=[FirstPassage("y < -0.5", bridge=True)],
    )  # fmt: skip
    exact = special.erfc(1 / np.sqrt(4 * 0.25 * 2.0))
    assert_within(float(cloud["first_passage_time"].notnull().mean()), exact, np.sqrt(exact * (1 - exact) / n))


def test_the_draws_of_the_bridge_have_words_of_their_own():
    """A step is crossed where the word of its particle and of the step at its end falls below the chance."""
    steps, dt, stream = 12, 0.1, STREAMS["bridge"]
    assert stream not in {STREAMS[name] for name in STREAMS if name != "bridge"}
    cloud = sp.simulate(
        sp.landscapes.Quadratic(0.0), Isotropic(2.0), temperature=0.25, dt=dt, n_steps=steps, n_particles=150,
        start=0.0, save_at=steps + 1, observers=[FirstPassage("x > 0.5", bridge=True)], seed=4,
    )  # fmt: skip
    crossed = 0
    for particle, path in enumerate(cloud["position"].values[:, :, 0].T):
        expected = np.nan
        for k in range(1, steps + 1):
            chance = np.exp(-2 * (path[k - 1] - 0.5) * (path[k] - 0.5) / (2 * 0.25 * 2.0 * dt))
            word = naive.words(key_of(4), particle, k, stream, 0)[0]
            if path[k] > 0.5 or (word + 0.5) / 2**32 < chance:
                crossed += path[k] <= 0.5
                expected = k * dt
                break
        np.testing.assert_allclose(cloud["first_passage_time"].values[particle], expected, rtol=1e-12)
    assert crossed > 10


def exit_times(region, n, t1, bridge=False, temperature=0.1):
    cloud = sp.simulate(
        sp.landscapes.DoubleWell(), temperature=temperature, dt=0.01, t1=t1, n_particles=n, start=-1.0, save_at=0,
        observers=[FirstPassage(region, bridge=bridge)], seed=12,
    )  # fmt: skip
    times = cloud["first_passage_time"].values
    assert not np.isnan(times).any()
    return times.mean(), times.std() / np.sqrt(n)


def test_mean_exit_time_across_the_barrier():
    """From -1 to +1 at T = .1: 66.36 for the chain at dt = .01 (continuous 66.27); at twice the temperature 19.1."""
    mean, error = exit_times("x > 1", 12_000, 1000.0)
    assert error == pytest.approx(0.94 * 66.36 / np.sqrt(12_000), rel=0.05)
    assert_within(mean, 66.36, error)
    assert_excluded(mean, 19.1, error, smallest=50)


def test_mean_time_to_the_top_and_its_bridge():
    """From -1 to 0: the chain at dt = .01 takes 32.70, the continuous motion 30.82, which the bridge recovers."""
    plain, error = exit_times("x > 0", 40_000, 450.0)
    assert_within(plain, 32.70, error)
    assert_excluded(plain, 30.82, error)
    bridged, error = exit_times("x > 0", 40_000, 450.0, bridge=True)
    assert_within(bridged, 30.82, error)
    assert_excluded(bridged, 32.70, error)


@pytest.mark.parametrize(
    ("observer", "message"),
    [
        (FirstPassage("x > 0 and x < 1", bridge=True), "compares one coordinate with a number"),
        (FirstPassage("x**2 > 1", bridge=True), "compares one coordinate with a number"),
        (FirstPassage("y > 0"), "names y, but the space has 1 coordinate"),
        (FirstPassage("x >"), "x >"),
        (FirstPassage("__import__('os') > 0"), "__import__"),
    ],
)
def test_regions_that_do_not_fit_are_refused(observer, message):
    with pytest.raises(ValueError, match=message):
        sp.simulate(sp.landscapes.DoubleWell(), temperature=0.1, dt=0.1, n_steps=1, observers=[observer])


def test_the_bridge_is_refused_where_it_has_no_formula():
    bridge = [FirstPassage("x > 0", bridge=True)]
    well = sp.landscapes.DoubleWell()
    with pytest.raises(ValueError, match="momentum"):
        sp.simulate(well, Isotropic(1.0), sgd=sp.SGD(lr=0.1, batch_size=1, momentum=0.5), n_steps=1, observers=bridge)
    with pytest.raises(ValueError, match="kicks are independent of each other"):
        sp.simulate(
            well, temperature=0.1, dt=0.1, n_steps=1, observers=bridge, integrator=sp.integrators.LeimkuhlerMatthews()
        )
    with pytest.raises(ValueError, match="needs noise across the boundary"):
        sp.simulate(well, temperature=0.0, dt=0.1, n_steps=1, observers=bridge)


def test_those_that_have_not_passed_are_counted():
    cloud = plane()
    assert int(cloud["first_passage_censored"]) == int(np.isnan(cloud["first_passage_time"]).sum())


def test_several_regions_in_one_run():
    start = np.stack([np.linspace(-4.0, 0.5, 130), np.linspace(2.0, 0.0, 130)], axis=1)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(0.1 * np.eye(2)), temperature=0.3, dt=0.05, n_steps=60, start=start, seed=1, save_at=0,
        observers=[FirstPassage("x > 0 and y < 1", name="corner"), FirstPassage("y < 1", name="low")],
    )  # fmt: skip
    assert_same_bits(cloud["corner_first_passage_time"].values, plane()["first_passage_time"].values)
    assert int(cloud["low_first_passage_censored"]) < int(cloud["corner_first_passage_censored"])
