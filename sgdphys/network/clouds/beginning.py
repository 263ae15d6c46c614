"""Where the replicas of a run start, and how many they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import xarray as xr

from sgdphys.checks import whole_number
from sgdphys.kernels.philox import key_of
from sgdphys.network.clouds.snapshots import state_of
from sgdphys.network.tensors import numbers_like, to_tensor
from sgdphys.simulation.starts import continued_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.network.clouds.behaviour import Behaviour
    from sgdphys.network.clouds.indices import Key
    from sgdphys.network.clouds.replica_group import State
    from sgdphys.network.problem import Network

__all__ = ["Beginning", "agreed_count", "beginning_of", "keys_of"]

_REPLICAS = 100  # where nothing says how many


class Beginning(NamedTuple):
    """Positions (replica, d), a view of one row where all are equal, and what an earlier cloud left to go on from."""

    positions: torch.Tensor
    velocities: NDArray[Any] | None
    buffers: NDArray[Any] | None
    step: int
    time: float | None

    def state(self, network: Network, behaviour: Behaviour, *, momentum: bool) -> State:
        """Return the state of all replicas, with zero velocities and the module's buffers where nothing else is known.

        Parameters
        ----------
        network
            Gives device, type and buffers.
        behaviour
            Names the buffers that change.
        momentum
            Whether there are velocities.

        Returns
        -------
        State
            Tensors on the network's device.
        """
        count, model = len(self.positions), network.objective.model
        state = state_of({"position": np.empty((0, 0))}, self.step, network.objective, behaviour)
        velocities = None
        if momentum:
            velocities = (
                torch.zeros_like(self.positions)
                if self.velocities is None
                else self.positions.new_tensor(self.velocities)
            )
        own = {name: model.buffers[name].expand(count, *model.buffers[name].shape) for name in behaviour.buffers}
        if self.buffers is not None:
            kept = {"position": np.empty((count, 0)), "buffer": self.buffers}
            own = state_of(kept, self.step, network.objective, behaviour).buffers
        return state._replace(positions=self.positions, velocities=velocities, buffers=own)


def agreed_count(n_replicas: Any, sgd: Any, seed: Any) -> int | None:
    """Return the size of the cloud that number, settings and seeds agree on.

    Parameters
    ----------
    n_replicas, sgd, seed
        As in ``train``.

    Returns
    -------
    int or None
        None where nothing says it.

    Raises
    ------
    ValueError
        They contradict each other.
    """
    count = None if n_replicas is None else whole_number("n_replicas", n_replicas)
    if isinstance(sgd, (list, tuple)):
        if not sgd or count not in {None, len(sgd)}:
            raise ValueError(f"sgd must be one SGD for each of the {count or 'R'} replicas, got {len(sgd)}")
        count = len(sgd)
    if _is_list(seed):
        if np.ndim(np.asarray(seed, dtype=object)) != 1 or not len(seed) or count not in {None, len(seed)}:
            raise ValueError(
                f"seed must be one number, or one for each of the {count or 'R'} replicas, got {len(seed)} entries"
            )
        count = len(seed)
    return count


def _is_list(seed: Any) -> bool:
    return isinstance(seed, (list, tuple, np.ndarray)) and np.shape(np.asarray(seed, dtype=object)) != ()


def keys_of(seed: Any, point: tuple[int, ...]) -> Key:
    """Return the key of the random numbers, or one for each replica; ValueError for seeds that are none."""
    if _is_list(seed):
        return tuple(key_of(each, *point) for each in seed)
    return key_of(seed, *point)


def beginning_of(network: Network, start: Any, count: int | None, *, momentum: bool) -> Beginning:
    """Return where the replicas start.

    Parameters
    ----------
    network
        Gives the parameters where ``start`` is None.
    start
        Parameters (coordinate,) or (particle, coordinate), an earlier cloud, or None.
    count
        Size of the cloud; None for that of ``start``, or 100.
    momentum
        Whether an earlier cloud must have velocities.

    Returns
    -------
    Beginning
        Nothing of the size of the cloud is allocated for a single row.

    Raises
    ------
    ValueError
        The shape does not fit, a number is not finite, or the cloud cannot be continued.
    """
    kind: dict[str, Any] = {"device": network.device, "dtype": network.objective.model.initial.dtype}
    dim = network.dim
    if isinstance(start, xr.Dataset):
        rows, step = continued_state(start, dim, count, dim * (2 if momentum else 1))
        velocities = rows[:, dim:] if momentum else None
        buffers = start["buffer"].values[-1] if "buffer" in start else None
        return Beginning(to_tensor(rows[:, :dim], **kind), velocities, buffers, step, float(start["time"][-1]))
    points = numbers_like("start", network.parameters if start is None else start, network.objective.model.initial)
    if count is None:
        count = max(len(points), 1) if points.ndim == 2 else _REPLICAS
    if points.shape not in {(dim,), (count, dim)}:
        raise ValueError(f"start must have shape ({dim},) or ({count}, {dim}), got {tuple(points.shape)}")
    if not bool(torch.isfinite(points).all()):
        raise ValueError("start must be finite, it holds NaN or infinity")
    return Beginning(points.expand(count, -1), None, None, 0, None)
