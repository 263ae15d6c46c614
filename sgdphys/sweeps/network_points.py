"""One point of a network sweep: real SGD clouds frame by frame, then the twin, then the comparison."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis import compare
from sgdphys.errors import DivergenceWarning
from sgdphys.kernels.philox import key_of
from sgdphys.network import train
from sgdphys.network.clouds.training import steady_engine
from sgdphys.simulation import simulate
from sgdphys.sweeps.measurements import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sgdphys.sgd import SGD
    from sgdphys.store import Writer
    from sgdphys.sweeps.measurements import Measurement

    Array = NDArray[np.float64]

__all__ = ["COMPARED", "MEASURED", "PREDICTED", "NetworkPoint", "NetworkSettings", "run_network_point"]

COMPARED = (
    "variance_real", "variance_sim", "variance_ratio", "mean_difference", "mean_variance_ratio", "entropy_real",
    "entropy_sim", "entropy_difference", "symmetric_relative_entropy", "squared_wasserstein_distance",
)  # fmt: skip
MEASURED = (
    "mean_ratio_real", "mean_ratio_sim", "excess_loss", "test_error", "hessian_trace", "hessian_largest_eigenvalue",
)  # fmt: skip
PREDICTED = ("variance_predicted", "entropy_predicted", "excess_loss_predicted")
_PROBES = 8  # random vectors for the trace of each replica's Hessian


@dataclass(frozen=True)
class NetworkSettings:
    """What all points of a network sweep share.

    Parameters
    ----------
    times
        Times of the frames, in x^2/loss, from 0 on; snapped to the steps of each learning rate.
    n_replicas, n_particles
        Size of the real and of the simulated cloud.
    n_flatness
        Replicas at which the Hessian is measured.
    test_data
        Inputs and integer labels, or None.
    threads
        For both clouds.
    """

    times: Array
    n_replicas: int
    n_particles: int
    n_flatness: int
    test_data: tuple[Any, Any] | None
    threads: int | None

    def steps(self, lr: float) -> NDArray[np.int64]:
        """Return the step of each frame at a learning rate."""
        return np.asarray(np.rint(self.times / lr), dtype=np.int64)

    @property
    def half(self) -> float:
        """Time from which on frames are compared, in x^2/loss; just below the half of the run, against rounding."""
        return float(self.times[-1]) * (0.5 - 1e-9)

    @property
    def late(self) -> NDArray[np.bool_]:
        """The frames that are compared."""
        return np.asarray(self.times >= self.half)


@dataclass(frozen=True)
class NetworkPoint:
    """One point: its place in the sweep, its settings of SGD, its seed."""

    place: tuple[int, int, int]
    sgd: SGD
    seed: int

    def signs(self, count: int, dim: int) -> Array:
        """Return random signs (count, d), a function of seed and point."""
        key = np.array([key_of(self.seed, *self.place), 0], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key)).choice([-1.0, 1.0], size=(count, dim))


def run_network_point(
    point: NetworkPoint,
    measurement: Measurement,
    settings: NetworkSettings,
    writer: Writer,
    report: Callable[[int], None],
) -> None:
    """Run one point from its last committed frame to its end.

    Real cloud and twin start at the minimum and spread from there; the prediction is that of the same steps.

    Parameters
    ----------
    point, measurement, settings
        What to run.
    writer
        Of the sweep's store.
    report
        Called with the replica-steps of each stretch.
    """
    growth = measurement.predict(point.sgd, settings.steps(point.sgd.lr))
    prediction = Prediction(growth.covariances[settings.late], growth.excess_losses[settings.late])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)  # the sweep says so once, at its end
        last = _train(point, measurement, growth, settings, writer, report)
        twin = _simulate_twin(point, measurement, settings)
    real = _reduced_cloud(writer, point.place, settings)
    values = _compared(real, twin, prediction, settings) | _measured(last, point, measurement, settings)
    values |= _pair("excess_loss", _excess_loss(real, measurement.network.loss_value, settings))
    values |= {
        "diverged_fraction": 1.0 - np.isfinite(last).all(axis=1).mean(),
        "variance_predicted": prediction.variances.mean(axis=0),
        "entropy_predicted": prediction.entropy,
        "excess_loss_predicted": prediction.excess_losses.mean(),
    }
    writer.finish({name: np.asarray(value) for name, value in values.items()}, point=point.place)


def _train(
    point: NetworkPoint,
    measurement: Measurement,
    growth: Prediction,
    settings: NetworkSettings,
    writer: Writer,
    report: Callable[[int], None],
) -> Array:
    """Train frame by frame and return the last positions, (replica, d)."""
    network, steps = measurement.network, settings.steps(point.sgd.lr)
    state = writer.state(point.place)
    if state is None:
        state = {"position": np.tile(network.parameters, (settings.n_replicas, 1))}
        if point.sgd.momentum > 0:
            state["velocity"] = np.zeros_like(state["position"])
    engine = steady_engine(network, point.sgd, settings.n_replicas)  # of all frames, so that a sweep can be repeated
    for frame in range(writer.frames(point.place), len(steps)):
        if frame > 0:
            state = _advanced(state, point, measurement, settings, steps[frame - 1 : frame + 1], engine)
            report(int(steps[frame] - steps[frame - 1]) * settings.n_replicas)
        written = {
            "position": (state["position"] - network.parameters) @ measurement.directions,
            "potential": np.full(settings.n_replicas, np.nan),
            "variance_growth_predicted": growth.variances[frame],
        }
        if settings.late[frame]:
            written["potential"] = network.potential(state["position"])
        writer.append({name: value[None] for name, value in written.items()}, point=point.place, state=state)
    return np.asarray(state["position"])


def _advanced(
    state: dict[str, Array],
    point: NetworkPoint,
    measurement: Measurement,
    settings: NetworkSettings,
    steps: NDArray[np.int64],
    engine: Literal["vectorised", "loop"],
) -> dict[str, Array]:
    """Return positions, and velocities with momentum, after training from the first to the second of two steps."""
    cloud = _cloud(state["position"][None], point.sgd.lr * steps[:1], steps[:1])
    if "velocity" in state:
        cloud["velocity"] = (cloud["position"].dims, state["velocity"][None])
    cloud = train(
        measurement.network,
        point.sgd,
        n_steps=int(steps[1] - steps[0]),
        start=cloud,
        save_at=1,
        seed=point.seed,
        point=point.place,
        engine=engine,
        threads=settings.threads,
        progress=False,
    )
    return {name: cloud[name].values[-1] for name in ("position", "velocity") if name in cloud}


def _simulate_twin(point: NetworkPoint, measurement: Measurement, settings: NetworkSettings) -> xr.Dataset:
    steps = settings.steps(point.sgd.lr)
    twin = simulate(
        *measurement.twin(),
        sgd=point.sgd,
        n_steps=int(steps[-1]),
        n_particles=settings.n_particles,
        start=np.zeros(measurement.rank),
        save_at=steps * point.sgd.lr,
        seed=point.seed,
        point=point.place,
        threads=settings.threads,
        progress=False,
    )
    return twin.assign_coords(time=settings.times)  # not those snapped to steps, which may fall short of the half


def _reduced_cloud(writer: Writer, place: tuple[int, int, int], settings: NetworkSettings) -> xr.Dataset:
    cloud = _cloud(writer.committed("position", place), settings.times, np.arange(len(settings.times)))
    cloud["potential"] = (schema.TIME, schema.PARTICLE), writer.committed("potential", place)
    return cloud


def _compared(real: xr.Dataset, twin: xr.Dataset, prediction: Prediction, settings: NetworkSettings) -> dict[str, Any]:
    names = [f"{name}{suffix}" for name in COMPARED for suffix in ("", "_standard_error")]
    alive = np.isfinite(real["position"].values).all(axis=(0, 2))
    k = prediction.variances.shape[1]
    if alive.sum() < k + 3:
        empty = {name: np.full(k if schema.BY_NAME[name].dims else (), np.nan) for name in names}
        ratio = math.nan, math.nan
    else:
        compared = compare(real, twin.drop_vars(["origin", "basis"]), after=settings.half)
        empty = {name: compared[name].values for name in names}
        ratio = _ratio(real.isel(particle=alive), prediction, settings)
    return empty | _pair("mean_ratio_real", ratio) | _pair("mean_ratio_sim", _ratio(twin, prediction, settings))


def _ratio(cloud: xr.Dataset, prediction: Prediction, settings: NetworkSettings) -> tuple[float, float]:
    """Return variance over prediction, averaged over directions and late frames, with the error between particles."""
    points = cloud["position"].values[settings.late].astype(np.float64)
    count = points.shape[1]
    squares = (points - points.mean(axis=1, keepdims=True)) ** 2 * count / (count - 1)
    each = (squares.mean(axis=0) / prediction.variances.mean(axis=0)).mean(axis=1)
    return float(each.mean()), float(each.std(ddof=1) / math.sqrt(count))


def _measured(
    positions: Array, point: NetworkPoint, measurement: Measurement, settings: NetworkSettings
) -> dict[str, Any]:
    alive = positions[np.isfinite(positions).all(axis=1)]
    flat = _flatness(alive[: settings.n_flatness], point, measurement)
    return _test_error(alive, measurement, settings) | flat


def _excess_loss(real: xr.Dataset, minimum: float, settings: NetworkSettings) -> tuple[float, float]:
    losses = real["potential"].values[settings.late].mean(axis=0) - minimum
    losses = losses[np.isfinite(losses)]
    return _mean(losses) if len(losses) else (math.nan, math.nan)


def _test_error(points: Array, measurement: Measurement, settings: NetworkSettings) -> dict[str, Any]:
    if settings.test_data is None or not len(points):
        return _pair("test_error", (math.nan, math.nan))
    inputs, labels = settings.test_data
    wrong = measurement.network.outputs(inputs, points).argmax(axis=-1) != np.asarray(labels)
    return _pair("test_error", _mean(wrong.mean(axis=1)))


def _flatness(points: Array, point: NetworkPoint, measurement: Measurement) -> dict[str, Any]:
    """Return trace and largest eigenvalue of the Hessian at replicas, with errors between them."""
    if not len(points):
        return _pair("hessian_trace", (math.nan,) * 2) | _pair("hessian_largest_eigenvalue", (math.nan,) * 2)
    signs = point.signs(len(points) * _PROBES, points.shape[1]).reshape(len(points), _PROBES, -1)
    traces, largest = np.empty(len(points)), np.empty(len(points))
    for k, (x, probes) in enumerate(zip(points, signs, strict=True)):
        curvature = measurement.network.at(x).curvature()
        # v'(H(x) - H)v for random signs v has the mean tr H(x) - tr H (Hutchinson 1990): without bias, and little noise
        change = np.sum(probes.T * curvature.matvec(probes.T), axis=0) - measurement.quadratic_forms(probes)
        traces[k] = measurement.eigenvalues.sum() + change.mean()
        largest[k] = float(curvature.top(1, tolerance=1e-6)["eigenvalue"][0])
    return _pair("hessian_trace", _mean(traces)) | _pair("hessian_largest_eigenvalue", _mean(largest))


def _mean(values: Array) -> tuple[float, float]:
    """Return mean and standard error; no error from one value."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(np.mean(values)), error


def _pair(name: str, pair: tuple[float, float]) -> dict[str, float]:
    return {name: pair[0], f"{name}_standard_error": pair[1]}


def _cloud(positions: Array, times: Any, steps: Any) -> xr.Dataset:
    dims = (schema.TIME, schema.PARTICLE, schema.COORDINATE)
    return xr.Dataset({"position": (dims, positions)}, {"time": np.asarray(times), "step": (schema.TIME, steps)})
