"""Yaida's fluctuation-dissipation relations: exact for the steps of SGD in any stationary state, thermal or not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.frames import check_cloud
from sgdphys.checks import finite_number, number_array
from sgdphys.sgd import SGD, require_sgd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from sgdphys.protocols import Array

__all__ = ["fluctuation_dissipation"]


@dataclass(frozen=True)
class _Frames:
    """Positions x and velocities v at some steps (frame, particle, coordinate), and those of one step later.

    Without momentum v is 0 before each step and the batch gradient after it. ``later`` is None where only the frame
    itself is known.
    """

    position: Array
    velocity: Array
    later: Array | None
    numbers: NDArray[np.intp]

    def batch_gradient(self, sgd: SGD) -> Array:
        """Return the gradient that the step took in, loss/x."""
        assert self.later is not None
        return np.asarray((self.later - sgd.momentum * self.velocity) / (1 - sgd.dampening))


def fluctuation_dissipation(
    cloud: xr.Dataset,
    gradient: Callable[[Any], Any] | ArrayLike | None = None,
    *,
    hessian: Callable[[Any], Any] | ArrayLike | None = None,
    sgd: SGD | None = None,
    origin: ArrayLike | None = None,
    basis: ArrayLike | None = None,
    after: float | None = None,
) -> xr.Dataset:
    r"""Return both sides of Yaida's relations, whose ratio is 1 where a run of SGD is *stationary*.

    .. math:: \langle x \cdot \nabla f \rangle = \frac{\mathrm{lr}}2 \frac{1 + \mu}{1 - \tau} \langle v \cdot v\rangle,
              \qquad \langle |\nabla f|^2 \rangle
              = \frac{\mathrm{lr}}2 \frac{1 + \mu}{1 - \tau} \langle v \cdot H v \rangle

    with torch's velocity :math:`v \leftarrow \mu v + (1-\tau) g`, which without momentum is the batch gradient itself;
    with Nesterov's step lr mu <v . grad f> (lr mu <v . H grad f>) is taken off the right-hand sides. The first says no
    more than that <|x|^2> no longer changes, for any loss and any lr; the second, that the mean of a quadratic loss no
    longer does. Neither says that the state is *thermal*: a ratio of 1 holds for any noise, with detailed balance or
    without, and whatever the temperature. Minibatches must be independent of the position: for shuffled epochs
    <x . g> differs from <x . grad f>, and the first relation holds for the gradients of the batches over whole epochs.

    Parameters
    ----------
    cloud
        Result of ``train`` or of ``simulate`` with constant settings of SGD. Without momentum, and wherever
        ``gradient`` is None, frames of consecutive steps are needed (``save_at=sgd.lr * np.arange(...)``): a frame
        counts where the next step is there too. Stored as float32, increments lose digits.
    gradient
        The gradient of f: a function of points (particle, coordinate), such as ``network.gradient``, or its values
        (time, particle, coordinate) at the frames. None takes the gradients of the batches, seen in the increments:
        then the difference of the two sides of the first relation, averaged over t consecutive steps without momentum,
        is :math:`(|x_0|^2 - |x_t|^2) / (2\,\mathrm{lr}\,t)` to rounding.
    hessian
        For the second relation, which is exact for quadratic losses only: H (coordinate, coordinate) or its product
        with columns (coordinate, k), such as ``network.curvature().matvec``. Needs ``gradient``.
    sgd
        Settings; None for those on record.
    origin
        Point that x counts from, (coordinate,), in x; default 0. The first relation holds around any point, since
        <grad f> is 0, but its error grows with the distance.
    basis
        Orthonormal directions (coordinate, direction) to which all vectors are restricted. Directions that relax
        slowly, and are not stationary yet, can be left out so.
    after
        Time from which frames count, in x^2/loss; default all.

    Returns
    -------
    xr.Dataset
        ``dissipation_term`` and ``fluctuation_term``, the sides of the first relation in loss, and
        ``fluctuation_dissipation_ratio`` left over right; with ``hessian`` the same of the second:
        ``squared_gradient_term``, ``curved_fluctuation_term`` in loss^2/x^2 and
        ``second_fluctuation_dissipation_ratio``. Standard errors are from the differences between particles; NaN for a
        single one. The attribute ``tests`` says what a ratio of 1 means: "stationary, not thermal".

    Raises
    ------
    ValueError
        The Dataset is no cloud, has no settings of SGD on record, too few frames, a shape does not fit, or ``hessian``
        was given without ``gradient``.

    References
    ----------
    Yaida 2018 (arXiv 1810.00004), the relations FDR1 and FDR2.
    """
    check_cloud(cloud)
    if hessian is not None and gradient is None:
        raise ValueError("the second relation holds for the gradient of the whole loss: give gradient= with hessian=")
    sgd = _settings(cloud, sgd)
    directions = _directions(basis, cloud.sizes[schema.COORDINATE])
    frames = _chosen(cloud, sgd, alone=gradient is not None and sgd.momentum > 0, after=after)
    slope = _gradients(frames, cloud, gradient, sgd)
    centre = 0.0 if origin is None else _sized("origin", origin, (cloud.sizes[schema.COORDINATE],))
    place, slope_along = (_along(values, directions) for values in (frames.position - centre, slope))
    before = _along(frames.velocity, directions)
    later = before if frames.later is None else _along(frames.later, directions)
    right = _fluctuation(before, later, before, later, sgd)
    values = _sides(
        ("dissipation_term", "fluctuation_term", "fluctuation_dissipation_ratio"),
        _product(place, slope_along),
        right - _nesterov(sgd) * _product(before, slope_along),
    )
    if hessian is not None:
        curved, curved_later = (_along(_curved(hessian, v), directions) for v in (frames.velocity, _last(frames)))
        right = _fluctuation(before, later, curved, curved_later, sgd) - _nesterov(sgd) * _product(curved, slope_along)
        names = ("squared_gradient_term", "curved_fluctuation_term", "second_fluctuation_dissipation_ratio")
        values |= _sides(names, _product(slope_along, slope_along), right)
    return xr.Dataset(
        {name: ((), value, schema.describe(name)) for name, value in values.items()},
        attrs={"tests": "stationary, not thermal", "frames": len(frames.position)},
    )


def _settings(cloud: xr.Dataset, sgd: SGD | None) -> SGD:
    if sgd is not None:
        require_sgd(sgd)
        return sgd
    recorded = json.loads(cloud.attrs.get("configuration", "{}")).get("sgd")
    if not isinstance(recorded, dict) or "schedule" in recorded:
        raise ValueError("the cloud has no constant settings of SGD on record; give sgd=SGD(lr=..., batch_size=...)")
    return SGD(**recorded)


def _directions(basis: ArrayLike | None, dim: int) -> Array | None:
    if basis is None:
        return None
    directions = number_array("basis", basis)
    if directions.ndim != 2 or len(directions) != dim or not np.isfinite(directions).all():
        raise ValueError(f"basis must have the shape ({dim}, direction) for this cloud, got {directions.shape}")
    return directions


def _sized(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Array:
    array = number_array(name, values)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape} like the cloud, got {array.shape}")
    return array


def _chosen(cloud: xr.Dataset, sgd: SGD, *, alone: bool, after: float | None) -> _Frames:
    """Return the frames that count: all where frames stand alone, else those whose next step is there too."""
    position = np.asarray(cloud["position"].values, dtype=np.float64)
    if sgd.momentum > 0 and "velocity" not in cloud:
        raise ValueError("with momentum the relations need the velocities, and this cloud has no 'velocity'")
    has_velocity = sgd.momentum > 0
    velocity = np.asarray(cloud["velocity"].values, dtype=np.float64) if has_velocity else np.zeros_like(position)
    late = np.ones(len(position), bool) if after is None else cloud["time"].values >= finite_number("after", after)
    alive = np.isfinite(position[-1]).all(axis=-1)
    if not alive.any():
        raise ValueError("all particles left for infinity: there is no stationary state")
    numbers = np.flatnonzero(late if alone else late & np.append(np.diff(cloud["step"].values) == 1, False))
    if not len(numbers):
        raise ValueError(
            "no frame counts: without momentum or gradient= two frames of consecutive steps are needed, such as "
            "save_at=sgd.lr * np.arange(900, 1001)"
        )
    later = None
    if not alone:
        moved = (position[numbers] - position[numbers + 1])[:, alive] / sgd.lr
        later = velocity[numbers + 1][:, alive] if has_velocity else moved
    return _Frames(position[numbers][:, alive], velocity[numbers][:, alive], later, numbers)


def _gradients(frames: _Frames, cloud: xr.Dataset, gradient: Any, sgd: SGD) -> Array:
    if gradient is None:
        return frames.batch_gradient(sgd)
    if callable(gradient):
        return np.stack([np.asarray(gradient(points), dtype=np.float64) for points in frames.position])
    values = _sized("gradient", gradient, cloud["position"].shape)
    return np.asarray(values[frames.numbers][:, np.isfinite(cloud["position"].values[-1]).all(axis=-1)])


def _along(values: Array, directions: Array | None) -> Array:
    return values if directions is None else np.asarray(values @ directions)


def _curved(hessian: Any, vectors: Array) -> Array:
    rows = vectors.reshape(-1, vectors.shape[-1])
    if callable(hessian):
        return np.asarray(hessian(rows.T), dtype=np.float64).T.reshape(vectors.shape)
    return np.asarray(rows @ _sized("hessian", hessian, (rows.shape[1],) * 2)).reshape(vectors.shape)


def _last(frames: _Frames) -> Array:
    return frames.velocity if frames.later is None else frames.later


def _product(a: Array, b: Array) -> Array:
    return np.asarray(np.sum(a * b, axis=-1))


def _fluctuation(before: Array, later: Array, curved: Array, curved_later: Array, sgd: SGD) -> Array:
    # <v.v> of the velocity after and before the step: so the difference of both sides telescopes with momentum as well
    squares = _product(later, curved_later) + sgd.momentum * _product(before, curved)
    return np.asarray(0.5 * sgd.lr * squares / (1 - sgd.dampening))


def _nesterov(sgd: SGD) -> float:
    return sgd.lr * sgd.momentum if sgd.nesterov else 0.0


def _sides(names: tuple[str, str, str], left: Array, right: Array) -> dict[str, float]:
    """Return means of both sides (frame, particle) and their ratio, each with its error between particles."""
    each = left.mean(axis=0), right.mean(axis=0)
    ratio = float(each[0].mean() / each[1].mean()) if each[1].mean() else np.nan
    results = {names[0]: each[0], names[1]: each[1]}
    values: dict[str, float] = {}
    for name, values_of_particles in results.items():
        values |= {name: float(values_of_particles.mean()), f"{name}_standard_error": _error(values_of_particles)}
    spread = _error(each[0] - ratio * each[1]) / abs(float(each[1].mean())) if each[1].mean() else np.nan
    return values | {names[2]: ratio, f"{names[2]}_standard_error": spread}


def _error(values: Array) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan
