"""Where particles start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sgdphys import schema
from sgdphys.kernels.philox import STREAMS, key_of
from sgdphys.protocols import Landscape

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Start", "continued_state", "starting_positions"]

Array = NDArray[np.float64]
Start = "ArrayLike | Callable[[np.random.Generator], ArrayLike] | xr.Dataset | None"


def starting_positions(start: Any, landscape: Landscape, n_particles: int, seed: int, point: tuple[int, ...]) -> Array:
    """Return the positions at step 0.

    Parameters
    ----------
    start
        A number, an array (coordinate,) or (particle, coordinate), a function of a NumPy random generator that
        returns one of these, or None for the landscape's first known minimum, else the origin.
    landscape
        Gives the number of coordinates and the minima.
    n_particles
        Number of particles.
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
    if start is None:
        minima = np.asarray(getattr(landscape, "minima", np.empty((0, landscape.dim))))
        start = minima[0] if len(minima) else 0.0
    if callable(start):
        key = [key_of(seed, *point), STREAMS["start"]]
        start = start(np.random.Generator(np.random.Philox(key=np.array(key, dtype=np.uint64))))
    positions = np.asarray(start, dtype=np.float64)
    shape = (n_particles, landscape.dim)
    allowed = [(), (landscape.dim,), shape, *([(n_particles,)] if landscape.dim == 1 else [])]
    if positions.shape not in allowed:
        raise ValueError(f"start must be a number or have shape {shape[1:]} or {shape}, got shape {positions.shape}")
    if not np.all(np.isfinite(positions)):
        raise ValueError(f"start must be finite, got {positions[~np.isfinite(positions)].ravel()[0]}")
    if positions.shape == (n_particles,) and landscape.dim == 1 and n_particles != 1:
        positions = positions[:, None]
    return np.broadcast_to(positions, shape)


def continued_state(cloud: xr.Dataset, dim: int, n_particles: int | None, rows: int) -> tuple[Array, int]:
    """Return the last state of an earlier cloud, (particle, row), and its absolute step.

    Raises
    ------
    ValueError
        The Dataset is no cloud, has another size, was stored in single precision, or lacks the velocity.
    """
    schema.validate_cloud(cloud)
    last = cloud.isel(time=-1)
    if cloud["position"].dtype != np.float64:
        raise ValueError(
            "start: this cloud was stored as float32 and cannot be continued exactly; simulate with storage='float64'"
        )
    if last.sizes["coordinate"] != dim:
        raise ValueError(f"start: the cloud has {last.sizes['coordinate']} coordinates, the landscape has {dim}")
    if n_particles is not None and last.sizes["particle"] != n_particles:
        raise ValueError(
            f"start: the cloud has {last.sizes['particle']} particles, n_particles is {n_particles}; leave n_particles out"
        )
    state = [last["position"].values]
    if rows == 2 * dim:
        if "velocity" not in cloud:
            raise ValueError("start: the cloud has no velocity, which momentum needs to go on")
        state.append(last["velocity"].values)
    return np.concatenate(state, axis=1), int(last["step"])
