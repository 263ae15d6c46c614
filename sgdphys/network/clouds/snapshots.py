"""The state of replicas as arrays in host memory: what frames, checkpoints and other processes take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from sgdphys.network.clouds.replica_group import State
from sgdphys.network.tensors import to_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.clouds.behaviour import Behaviour
    from sgdphys.network.objective import Objective

__all__ = ["Snapshot", "joined", "snapshot_of", "state_of"]

Snapshot: TypeAlias = "dict[str, NDArray[Any]]"  # position, velocity, buffer: (replica, number) each


def snapshot_of(state: State) -> Snapshot:
    """Return positions, velocities and changing buffers of a state; buffers one after the other, as float64."""
    arrays = {"position": state.positions}
    if state.velocities is not None:
        arrays["velocity"] = state.velocities
    if state.buffers:
        arrays["buffer"] = torch.cat([b.reshape(len(b), -1).to(torch.float64) for b in state.buffers.values()], dim=1)
    return {name: to_numpy(array) for name, array in arrays.items()}


def state_of(snapshot: Snapshot, step: int, objective: Objective, behaviour: Behaviour) -> State:
    """Return the state that a snapshot holds, on the device and in the type of the objective."""
    kind: dict[str, Any] = {"device": objective.model.initial.device, "dtype": objective.model.initial.dtype}
    velocity = snapshot.get("velocity")
    return State(
        torch.as_tensor(snapshot["position"]).to(**kind),
        None if velocity is None else torch.as_tensor(velocity).to(**kind),
        _buffers(snapshot.get("buffer"), objective, behaviour, kind["device"]),
        step,
    )


def _buffers(
    values: NDArray[Any] | None, objective: Objective, behaviour: Behaviour, device: torch.device
) -> dict[str, Tensor]:
    if values is None:
        return {}
    named, buffers, start = objective.model.buffers, {}, 0
    for name in behaviour.buffers:
        own = named[name]
        part = torch.as_tensor(np.array(values[:, start : start + own.numel()]))
        buffers[name] = part.to(device=device, dtype=own.dtype).reshape(-1, *own.shape)
        start += own.numel()
    return buffers


def joined(parts: Sequence[tuple[Sequence[int] | NDArray[np.int64], Snapshot]], count: int) -> Snapshot:
    """Return the snapshot of a whole cloud of ``count`` replicas from those of its parts, each with its replicas."""
    whole: Snapshot = {}
    for rows, part in parts:
        for name, values in part.items():
            if name not in whole:
                whole[name] = np.empty((count, *values.shape[1:]), values.dtype)
            whole[name][rows] = values
    return whole
