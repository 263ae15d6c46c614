"""Wrong arguments of noises, integrators, observers, schedules and finite sums: one clear line each."""

import numpy as np
import pytest

import sgdphys as sp
from sgdphys import landscapes, noises, observers, schedules
from sgdphys.errors import MemoryLimitError

BOWL = landscapes.Quadratic(np.eye(2))
SUM = landscapes.LeastSquares(np.random.default_rng(0).normal(size=(10, 2)), np.arange(10.0))
SGD = sp.SGD(lr=0.1, batch_size=2)


def observed(observer, **options):
    defaults = {"temperature": 0.1, "dt": 0.01, "n_steps": 4, "n_particles": 3, "save_at": 0}
    return sp.simulate(BOWL, observers=[observer], **{**defaults, **options})


def assert_refused(build, message, error=ValueError):
    with pytest.raises(error, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)


NUMBERS = "must be real numbers, in rows of equal length, got"
PARTS = {
    "words for a diffusion": (lambda: noises.Diagonal("ab"), NUMBERS),
    "ragged diffusion": (lambda: noises.Full([[1], [1, 2]]), NUMBERS),
    "complex diffusion": (lambda: noises.Diagonal([1j, 2]), NUMBERS),
    "complex array": (lambda: noises.LowRank(np.ones((2, 2)) * 1j), NUMBERS),
    "words for data": (lambda: landscapes.LeastSquares("a", "b"), NUMBERS),
    "ragged data": (lambda: landscapes.PhaseRetrieval([[1], [1, 2]], [1, 2]), NUMBERS),
    "words for a matrix": (lambda: landscapes.MatrixFactorisation("a", 1), NUMBERS),
    "no data": (lambda: landscapes.LeastSquares(np.zeros((0, 2)), []), "inputs must hold at least one sample"),
    "no feature": (lambda: landscapes.LogisticRegression(np.zeros((2, 0)), [0, 1]), "inputs must hold at least one"),
    "data that are not finite": (lambda: landscapes.LeastSquares([[np.nan]], [1.0]), "inputs must be finite, got nan"),
    "a builtin": (lambda: noises.Custom(abs), "numba compiles functions of Python alone"),
    "loss of a word": (
        lambda: sp.simulate(BOWL, noises.ProportionalToLoss("a"), temperature=0.1, dt=0.1, n_steps=1),
        "ProportionalToLoss takes D from a landscape with kernels, got 'a'",
    ),
    "a rate that is no function": (
        lambda: schedules.SGDSchedule.from_functions(SGD, 5, lr="a"), "lr must be a function of the step"
    ),
    "batches that are no function": (
        lambda: schedules.SGDSchedule.from_functions(SGD, 5, batch_size=0), "batch_size must be a function of the step"
    ),
    "range that is a number": (lambda: observers.Histogram(5, 3), r"range must be \(low, high\)"),
    "range of three": (lambda: observers.Histogram(5, (0, 1, 2)), r"range must be \(low, high\)"),
    "range of nothing": (lambda: observers.Histogram(5, (1, 1)), r"range must be \(low, high\) with low < high"),
    "range too narrow": (lambda: observers.Histogram(30, (1, 1 + 1e-15)), "edges must be rising"),
    "one range for two": (lambda: observers.Histogram(3, (0, 1), coordinates=(0, 1)), r"range must be \(low, high\)"),
    "three bins for two": (
        lambda: observers.Histogram((3, 3, 3), ((0, 1), (0, 1)), coordinates=(0, 1)), "bins must be a pair"
    ),
    "two bins for one": (lambda: observers.Histogram((3, 3), (0, 1)), "bins must be a positive integer"),
    "too many bins": (lambda: observers.Histogram(10**12, (0, 1)), "bins must be at most 100000000, got"),
    "words for edges": (lambda: observers.Histogram(edges="abc"), NUMBERS),
    "a number for two edges": (lambda: observers.Histogram(edges=5, coordinates=(0, 1)), "edges must be a pair"),
    "words for a weight": (lambda: observers.Currents(weight="a"), NUMBERS),
    "ragged lags": (lambda: observers.MeanSquaredDisplacement([[1], [1, 2]]), NUMBERS),
    "no lags": (lambda: observers.TimeCorrelation([]), "lags must be a number of lags or a list of times"),
    "too many lags": (lambda: observers.TimeCorrelation(10**9), "lags must be at most 1000000, got 1000000000"),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_parts(name):
    assert_refused(*PARTS[name])


RUNS = {
    "origin later than any run": (observers.MeanSquaredDisplacement(origin=1e300), {}, "origin must lie in the run"),
    "lag later than any run": (observers.MeanSquaredDisplacement([1e300]), {}, "origin and lag must end by the end"),
    "a number for coordinates": (observers.MeanSquaredDisplacement(coordinates=5), {}, "needs a list of coordinates"),
    "a bridge at temperature 0": (observers.FirstPassage("x > 1", bridge=True), {"temperature": 0.0}, "needs noise"),
    "a number for a store": (observers.Moments(), {"store": 5}, "store must be a path, got 5"),
    "no particle": (
        observers.Moments(), {"start": np.zeros((0, 2)), "n_particles": None}, "start must hold at least one particle"
    ),
    "temperature that ends": (
        observers.Moments(),
        {"temperature": lambda t: np.where(np.asarray(t) > 4.99, np.nan, 0.1), "n_steps": 500},
        r"temperature at time 5 must be finite and not negative, got nan",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_runs(name):
    observer, options, message = RUNS[name]
    assert_refused(lambda: observed(observer, **options), message)


@pytest.mark.parametrize(
    "observer",
    [
        observers.Snapshots(10**7),
        observers.Histogram((10**5, 10**5), ((0, 1), (0, 1)), coordinates=(0, 1)),
    ],
)
def test_observers_that_would_not_fit_into_memory_are_refused(observer):
    options = {"n_steps": 10**8, "n_particles": 10**5}
    assert_refused(lambda: observed(observer, **options), "the observers' memory of .* are free", MemoryLimitError)


def test_many_threads_take_no_more_memory_than_blocks():
    """Counts have a table for each task, of which there are not more than blocks."""
    observer = observers.Histogram(1000, (-1, 1))
    many, one = (observed(observer, threads=threads) for threads in (3000, 1))
    np.testing.assert_array_equal(many["histogram_count"], one["histogram_count"])


def test_data_sets_of_one_sample_and_whole_batches_are_no_noise():
    """With one sample, or all of them in a batch, SGD is gradient descent, whatever the seed."""
    one = landscapes.LeastSquares([[1.0, 2.0]], [1.0])
    for landscape, size in ((one, 1), (SUM, 10)):
        for sampling in ("without", "shuffle"):
            sgd = sp.SGD(lr=0.05, batch_size=size, sampling=sampling)
            cloud = sp.simulate(landscape, sgd=sgd, n_steps=5, n_particles=70, start=[0.3, -0.2], seed=3)
            x = np.array([[0.3, -0.2]])
            for frame in cloud["position"].values:
                np.testing.assert_allclose(frame, np.broadcast_to(x, frame.shape), rtol=1e-12)
                x = x - 0.05 * landscape.gradient(x)


def test_schedules_of_many_numbers_go_in_short_stretches():
    """45 coordinates of exact steps take 4100 numbers a step, of which no more than 16 MB are made at a time."""
    bowl = landscapes.Quadratic(np.diag(np.linspace(1, 2, 45)))
    options = {
        "dt": 0.01, "n_steps": 1200, "n_particles": 2, "save_at": 2,
        "integrator": sp.integrators.ExactOrnsteinUhlenbeck(),
    }  # fmt: skip
    annealed = sp.simulate(bowl, temperature=schedules.Steps([0.0], [0.1]), **options)
    constant = sp.simulate(bowl, temperature=0.1, **options)
    np.testing.assert_array_equal(annealed["position"], constant["position"])
