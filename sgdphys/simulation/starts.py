"""Where particles start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sgdphys import schema
from sgdphys.kernels.philox import STREAMS, key_of
from sgdphys.protocols import Landscape
from sgdphys.provenance import digest, qualified_name, source_hash

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["continued_state", "describe_numbers", "describe_start", "is_told", "starting_positions"]

Array = NDArray[np.float64]
DEFAULT_PARTICLES = 10_000
MOST_INLINE = 32  # numbers of a start that are written out in a configuration


def starting_positions(
    start: Any, landscape: Landscape, n_particles: int | None, seed: int, point: tuple[int, ...]
) -> Array:
    """Return the positions at step 0.

    Parameters
    ----------
    start
        A number, an array (coordinate,) or (particle, coordinate), a function of a NumPy random generator that
        returns one of these, or None for the landscape's first known minimum, else the origin.
    landscape
        Gives the number of coordinates and the minima.
    n_particles
        Number of particles; None for the rows of ``start``, or 10,000.
    seed, point
        Seed and sweep point, for a random start.

    Returns
    -------
    Array
        Positions, (particle, coordinate); possibly a read-only view.

    Raises
    ------
    ValueError
        The shape does not fit, or a number is not finite.
    """
    dim = landscape.dim
    positions = _as_numbers(_chosen(start, landscape, seed, point))
    if dim == 1 and positions.ndim == 1 and positions.shape != (1,):
        positions = positions[:, np.newaxis]
    given = n_particles
    if n_particles is None:
        n_particles = len(positions) if positions.ndim == 2 else DEFAULT_PARTICLES
    shape = (n_particles, dim)
    if positions.shape not in {(), (dim,), shape}:
        rows = "particle" if given is None else given
        wanted = f"({dim},) or ({rows}, {dim}), the landscape having {dim} coordinate{'s' if dim > 1 else ''}"
        raise ValueError(f"start must be a number or have shape {wanted}, got shape {positions.shape}")
    if not n_particles:
        raise ValueError(f"start must hold at least one particle, got shape {positions.shape}")
    if not np.all(np.isfinite(positions)):
        raise ValueError(f"start must be finite, got {positions[~np.isfinite(positions)].ravel()[0]}")
    return np.broadcast_to(positions, shape)


def _chosen(start: Any, landscape: Landscape, seed: int, point: tuple[int, ...]) -> Any:
    if start is None:
        minima = np.asarray(getattr(landscape, "minima", np.empty((0, landscape.dim))))
        return minima[0] if len(minima) else 0.0
    if callable(start):
        key = np.array([key_of(seed, *point), STREAMS["start"]], dtype=np.uint64)
        return start(np.random.Generator(np.random.Philox(key=key)))
    return start


def _as_numbers(start: Any) -> Array:
    try:
        return np.asarray(start, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"start must be a number, an array, a function of a random generator or an earlier cloud, got {start!r:.60}"
        ) from None


def continued_state(cloud: xr.Dataset, dim: int, n_particles: int | None, rows: int) -> tuple[Array, int]:
    """Return the last state of an earlier cloud and its absolute step.

    Parameters
    ----------
    cloud
        The cloud.
    dim
        Number of coordinates that it must have.
    n_particles
        Number of particles that it must have, or None.
    rows
        Rows of the state: ``dim``, or twice that with velocities.

    Returns
    -------
    tuple
        State (particle, row) and step.

    Raises
    ------
    ValueError
        The Dataset is no cloud, has another size, was stored in single precision, or lacks step or velocity.
    """
    schema.validate_cloud(cloud)
    if not cloud.sizes["time"] or "step" not in cloud.coords:
        raise ValueError("start: the cloud needs at least one frame and the coordinate 'step' to go on from")
    last = cloud.isel(time=-1)
    if cloud["position"].dtype != np.float64:
        raise ValueError(
            "start: this cloud was stored as float32 and cannot be continued exactly; simulate with storage='float64'"
        )
    if last.sizes["coordinate"] != dim:
        raise ValueError(f"start: the cloud has {last.sizes['coordinate']} coordinates, the landscape has {dim}")
    if n_particles is not None and last.sizes["particle"] != n_particles:
        raise ValueError(
            f"start: the cloud has {last.sizes['particle']} particles, n_particles is {n_particles}; "
            "leave n_particles out"
        )
    state = [last["position"].values]
    if rows == 2 * dim:
        if "velocity" not in cloud:
            raise ValueError("start: the cloud has no velocity, which momentum needs to go on")
        state.append(last["velocity"].values)
    return np.concatenate(state, axis=1), int(last["step"])


def describe_start(start: Any) -> Any:
    """Return what a configuration says of a start: its numbers, or a name and a hash that tells it from another."""
    if start is None:
        return None
    if hasattr(start, "data_vars"):
        last = start.isel(time=-1)
        return {"cloud": digest(last["position"].values), "step": int(last["step"])}
    if callable(start):
        return {"callable": qualified_name(start), "source": source_hash(start)}
    return describe_numbers(start)


def describe_numbers(numbers: Any) -> Any:
    """Return numbers as lists, or the shape and a hash of many."""
    values = np.asarray(numbers)
    return values.tolist() if values.size <= MOST_INLINE else {"shape": list(values.shape), "array": digest(values)}


def is_told(start: Any) -> bool:
    """Return whether a configuration holds the whole start: None, a number or a short array."""
    return start is None or not (hasattr(start, "data_vars") or callable(start) or np.size(start) > MOST_INLINE)
