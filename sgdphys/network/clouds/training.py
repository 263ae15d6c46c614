"""Clouds of real networks: many replicas of one network under real stochastic gradient descent."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import xarray as xr

import sgdphys
from sgdphys import schema
from sgdphys.checks import whole_number
from sgdphys.errors import DivergenceWarning
from sgdphys.kernels.philox import check_counters, key_of
from sgdphys.network.clouds.replicas import Replicas, State
from sgdphys.network.tensors import to_tensor
from sgdphys.sgd import SGD
from sgdphys.simulation.memory import refuse_above_memory
from sgdphys.simulation.request import as_tuple
from sgdphys.simulation.starts import continued_state
from sgdphys.simulation.times import last_step, saved_steps
from sgdphys.theory.linear_maps import stiffness_limit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.network.problem import Network

__all__ = ["train"]


def train(
    network: Network,
    sgd: SGD,
    *,
    n_replicas: int | None = None,
    n_steps: int,
    start: Any = None,
    save_at: int | ArrayLike = 21,
    seed: int = 0,
    point: tuple[int, ...] = (),
    record_potential: bool = False,
    storage: Literal["float64", "float32"] = "float64",
    threads: int | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    r"""Train many replicas of a network by real SGD and return their cloud.

    Each replica draws its own minibatches and moves by torch's heavy ball,
    :math:`v \leftarrow \mu v + g_\mathrm{batch} + \mathrm{wd}\, x,\; x \leftarrow x - \mathrm{lr}\, v`, with the weight
    decay of the network, or by its forms with dampening or Nesterov's step (see ``SGD``). The indices are a function of
    seed, point, replica and step alone: the same on CPU and GPU and for any number of threads or replicas; weights
    agree to rounding. A value that breaks its rule is refused with ValueError, a cloud that does not fit into memory
    with MemoryLimitError.

    Parameters
    ----------
    network
        Model, loss and data; the run uses its device and floating type.
    sgd
        Learning rate, batch size, momentum and its form, sampling. Its ``weight_decay`` is 0 or that of the network,
        its ``n_samples`` None or that of the network.
    n_replicas
        Size of the cloud; 100 if not given, or the number of rows of ``start``.
    n_steps
        Number of further steps.
    start
        Parameters (coordinate,) or (particle, coordinate); None for those of the network. An earlier cloud goes on from
        its last frame and absolute step, with its velocities; with the same seed that is the run without the break.
    save_at
        Number of equally spaced frames including both ends (1: the final state alone), or an array of times, snapped to
        steps. A trained cloud without a frame would hold nothing: 0 is refused.
    seed, point
        Name the minibatches; different points of a sweep are independent.
    record_potential
        Also save the regularised loss over the whole data set at the frames.
    storage
        ``"float32"`` halves what is stored; such a cloud cannot be continued.
    threads
        Number of threads, among which the replicas are divided; default all cores.
    progress
        True or False for the progress bar; None shows it in a terminal once a run takes more than a second.

    Returns
    -------
    xr.Dataset
        ``position(time, particle, coordinate)``, the flat parameters of each replica; with momentum ``velocity``; on
        request ``potential(time, particle)``; ``diverged(particle)``; coordinates time = lr * step and step; the
        configuration in the attributes.

    Warns
    -----
    DivergenceWarning
        Replicas left for infinity; they are NaN from then on and marked in ``diverged``.

    References
    ----------
    Polyak 1964, USSR Comput. Math. Math. Phys. 4, 1 (heavy ball); Salmon et al. 2011, SC'11 (counters of the indices).
    """
    sgd, point = _fitted(sgd, network), as_tuple("point", point)
    key = key_of(seed, *point)
    threads = None if threads is None else whole_number("threads", threads)
    state = _beginning(network, start, n_replicas, momentum=sgd.momentum > 0)
    last = last_step(state.step, sgd.lr, None, n_steps)
    saved = saved_steps(save_at, state.step, last, sgd.lr)
    _check_size(network, state, saved, last, storage)
    replicas = Replicas(network.objective, sgd, key, state, threads)
    frames = replicas.run(saved, last, np.dtype(storage), progress)
    cloud = _as_cloud(frames, saved, sgd.lr)
    if record_potential:
        values = np.stack([network.potential(frame) for frame in frames["position"].astype(np.float64)])
        cloud["potential"] = ((schema.TIME, schema.PARTICLE), values, schema.describe("potential"))
    configuration = {
        "verb": "train",
        "network": network.configuration(),
        "sgd": asdict(sgd),
        "n_particles": len(state.positions),
        "seed": seed,
        "point": list(point),
        "first_step": state.step,
        "last_step": last,
        "start": "network" if start is None else type(start).__name__,
        "storage": storage,
        "torch": torch.__version__,
    }
    _warn_of_divergence(network, sgd, cloud)
    return cloud.assign_attrs(schema.attributes_of(json.dumps(configuration), sgdphys.__version__))


def _fitted(sgd: SGD, network: Network) -> SGD:
    if not isinstance(sgd, SGD):
        raise ValueError(f"sgd must be settings such as SGD(lr=0.1, batch_size=8), got {sgd!r:.60}")
    if sgd.batch_size > network.n_samples:
        raise ValueError(
            f"batch_size must not exceed the number of samples, got {sgd.batch_size} > {network.n_samples}"
        )
    if sgd.n_samples not in {None, network.n_samples}:
        raise ValueError(
            f"sgd.n_samples={sgd.n_samples} is not the size of the data set, {network.n_samples}; leave it out"
        )
    if sgd.weight_decay not in {0.0, network.weight_decay}:
        raise ValueError(
            f"sgd.weight_decay={sgd.weight_decay} is not that of the network, {network.weight_decay}; "
            "give it to Network, whose minimum and curvature include it"
        )
    return replace(sgd, n_samples=network.n_samples, weight_decay=network.weight_decay)


def _beginning(network: Network, start: Any, n_replicas: int | None, *, momentum: bool) -> State:
    kind: dict[str, Any] = {"device": network.device, "dtype": network.objective.model.initial.dtype}
    count = None if n_replicas is None else whole_number("n_replicas", n_replicas)
    if isinstance(start, xr.Dataset):
        rows, step = continued_state(start, network.dim, count, network.dim * (2 if momentum else 1))
        state = to_tensor(rows, **kind)
        return State(state[:, : network.dim], state[:, network.dim :] if momentum else None, step)
    points = to_tensor(network.parameters if start is None else start, **kind)
    if count is None:
        count = len(points) if points.ndim == 2 else 100
    if points.shape not in {(network.dim,), (count, network.dim)}:
        raise ValueError(
            f"start must have shape ({network.dim},) or ({count}, {network.dim}), got {tuple(points.shape)}"
        )
    if not bool(torch.isfinite(points).all()):
        raise ValueError("start must be finite, it holds NaN or infinity")
    positions = points.expand(count, -1)
    # views that hold one row: the size is checked before the replicas take copies
    return State(positions, points.new_zeros(network.dim).expand(count, -1) if momentum else None, 0)


def _check_size(network: Network, state: State, saved: NDArray[np.int64], last: int, storage: str) -> None:
    if not len(saved):
        raise ValueError("save_at would keep nothing of the trained cloud; use save_at=1 for the final state alone")
    if not (isinstance(storage, str) and storage in {"float64", "float32"}):
        raise ValueError(f"storage must be 'float64' or 'float32', got {storage!r}")
    check_counters(particles=len(state.positions), steps=last, groups=-(-network.n_samples // 4))
    kinds = 1 if state.velocities is None else 2
    n_bytes = kinds * len(saved) * state.positions.numel() * np.dtype(storage).itemsize
    what = f"a cloud of {len(saved)} frames, {len(state.positions)} replicas and {network.dim} parameters"
    refuse_above_memory(n_bytes, what, "save fewer frames (save_at=), or use storage='float32'")


def _as_cloud(frames: dict[str, NDArray[Any]], saved: NDArray[np.int64], lr: float) -> xr.Dataset:
    dims = (schema.TIME, schema.PARTICLE, schema.COORDINATE)
    variables: dict[str, Any] = {name: (dims, array, schema.describe(name)) for name, array in frames.items()}
    variables["diverged"] = (schema.PARTICLE, np.isnan(frames["position"][-1, :, 0]), schema.describe("diverged"))
    times = {
        name: (schema.TIME, steps, schema.describe(name)) for name, steps in (("time", saved * lr), ("step", saved))
    }
    return xr.Dataset(variables, coords=times)


def _warn_of_divergence(network: Network, sgd: SGD, cloud: xr.Dataset) -> None:
    lost = int(cloud["diverged"].sum())
    if lost:
        limit, formula = stiffness_limit(sgd)
        sharpest = float(network.curvature().top(1, tolerance=1e-3)["eigenvalue"][0])
        warnings.warn(
            f"{lost} of {cloud.sizes['particle']} replicas left for infinity and are marked in 'diverged'; at the "
            f"network's point lr * lambda_max = {sgd.lr * sharpest:.3g}, stable below {formula} = {limit:.3g}: "
            "use a smaller lr",
            DivergenceWarning,
            stacklevel=3,
        )
