"""A cloud of replicas after its burn-in, seen along a few directions: positions, gradients, losses."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from sgdphys import schema
from sgdphys.errors import DivergenceWarning
from sgdphys.network.clouds.dynamics import VarianceAmplifiedDescent
from sgdphys.network.clouds.training import train
from sgdphys.network.tensors import to_numpy, to_tensor
from sgdphys.network.threads import few_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.problem import Network
    from sgdphys.network.validity.surroundings import Surroundings
    from sgdphys.sgd import SGD

    Array = NDArray[np.float64]

__all__ = ["Equilibrium", "Run", "measure_equilibrium"]

_FRAMES = 16  # of the last two thirds
_FEWEST_GRADIENT_FRAMES = 2
_GRADIENT_COST = 4  # of full gradients, in that of the run


@dataclass(frozen=True)
class Run:
    """How a cloud is run: the same for SGD and its refinements.

    Parameters
    ----------
    n_replicas
        Size of the cloud.
    n_steps
        Steps of SGD; the last two thirds are measured.
    seed
        Of the minibatches.
    threads, progress
        As for ``train``.
    """

    n_replicas: int
    n_steps: int
    seed: int
    threads: int | None
    progress: bool | None

    @property
    def burn_in(self) -> int:
        """Steps before measuring: a third."""
        return self.n_steps // 3

    def measured_steps(self) -> NDArray[np.int64]:
        """Return the steps at which the cloud is looked at, 16 or fewer; no pair of steps touches the next pair."""
        count = max(1, min(_FRAMES, (self.n_steps - self.burn_in) // 3))
        return np.unique(np.linspace(self.burn_in, self.n_steps - 1, count).round().astype(np.int64))


@dataclass
class Equilibrium:
    """What is kept of a cloud, over frames, replicas and directions; replicas that left for infinity are dropped.

    ``position`` and ``velocity`` along the directions, counted from the network's point, at ``steps``; of frames with a
    gradient ``gradient`` and ``noise`` g_batch - grad f along the directions, ``loss``, ``squared_gradient``
    |grad f|^2 and ``squared_noise`` |g_batch - grad f|^2 of the whole vectors.
    """

    steps: NDArray[np.int64]
    position: list[Array] = field(default_factory=list)
    velocity: list[Array] = field(default_factory=list)
    next_position: list[Array] = field(default_factory=list)
    gradient: list[Array] = field(default_factory=list)
    noise: list[Array] = field(default_factory=list)
    loss: list[Array] = field(default_factory=list)
    squared_gradient: list[Array] = field(default_factory=list)
    squared_noise: list[Array] = field(default_factory=list)
    diverged: int = 0

    def points(self) -> Array:
        """Return the positions of the replicas that stayed, (frame, replica, k)."""
        positions = np.array(self.position)
        return positions[:, np.isfinite(positions[-1]).all(axis=1)]

    def relation_cloud(self, sgd: SGD) -> tuple[xr.Dataset, Array]:
        """Return a cloud along the directions with the frames that have a gradient, and these gradients."""
        count, steps = len(self.gradient), self.steps[-len(self.gradient) :]
        gradients = np.array(self.gradient)
        if sgd.momentum > 0:
            frames = {"position": np.array(self.position[-count:]), "velocity": np.array(self.velocity[-count:])}
        else:  # pairs of consecutive steps, whose second frames need no gradient
            pairs = np.stack([np.array(self.position[-count:]), np.array(self.next_position)], axis=1)
            frames = {"position": pairs.reshape(2 * count, *pairs.shape[2:])}
            gradients = np.stack([gradients, np.zeros_like(gradients)], axis=1).reshape(frames["position"].shape)
            steps = np.stack([steps, steps + 1], axis=1).ravel()
        dims = (schema.TIME, schema.PARTICLE, schema.COORDINATE)
        times = {schema.TIME: sgd.lr * steps, schema.STEP: (schema.TIME, steps)}
        return xr.Dataset({name: (dims, values) for name, values in frames.items()}, times), gradients


@few_threads
def measure_equilibrium(
    network: Network, sgd: SGD, surroundings: Surroundings, run: Run, amplification: int = 1
) -> Equilibrium:
    """Train a cloud from the network's point and look at it after its burn-in.

    The cloud goes on from frame to frame, so that no more than two frames of d parameters are in memory.

    Parameters
    ----------
    network, sgd, run
        What is trained, and how; ``sgd`` with the sample number and weight decay of the network.
    surroundings
        The directions.
    amplification
        l of SVAG: l steps for one of SGD; gradients are measured for l = 1 alone.

    Returns
    -------
    Equilibrium
        What is kept of it.
    """
    steps = run.measured_steps()
    result = Equilibrium(steps)
    affordable = _GRADIENT_COST * run.n_steps * sgd.batch_size / network.n_samples
    with_gradient = int(np.clip(affordable, _FEWEST_GRADIENT_FRAMES, len(steps))) if amplification == 1 else 0
    cloud, done = None, 0
    for number, step in enumerate(steps * amplification):
        pair = number >= len(steps) - with_gradient
        last = int(step) + 1 if pair else int(step)
        cloud = _advanced(network, sgd, run, cloud, (done, int(step), last), amplification)
        done = last
        _keep(result, network, sgd, surroundings, cloud, gradients=pair)
    assert cloud is not None
    result.diverged = int(cloud["diverged"].sum())
    return result


def _advanced(
    network: Network, sgd: SGD, run: Run, cloud: xr.Dataset | None, stops: tuple[int, int, int], amplification: int
) -> xr.Dataset:
    done, step, last = stops
    dt = sgd.lr / amplification
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)  # the verdict says so
        return train(
            network,
            sgd,
            dynamics=VarianceAmplifiedDescent(amplification) if amplification > 1 else None,
            n_replicas=run.n_replicas if cloud is None else None,
            n_steps=last - done,
            start=cloud,
            save_at=dt * np.unique([step, last]),
            seed=run.seed,
            point=(amplification,) if amplification > 1 else (),
            engine="auto" if cloud is None else cloud.attrs.get("engine", "auto"),
            threads=run.threads,
            progress=run.progress,
        )


def _keep(
    result: Equilibrium, network: Network, sgd: SGD, surroundings: Surroundings, cloud: xr.Dataset, *, gradients: bool
) -> None:
    kind: dict[str, Any] = {"device": network.device, "dtype": network.objective.model.initial.dtype}
    origin, V = (to_tensor(values, **kind) for values in (network.parameters, surroundings.directions))
    points = [to_tensor(frame, **kind) for frame in cloud["position"].values]
    result.position.append(_numbers((points[-2 if gradients else -1] - origin) @ V))
    if not gradients:
        return
    losses, slopes = network.objective.value_and_gradient(points[-2])
    if sgd.momentum > 0:
        before, after = (to_tensor(frame, **kind) for frame in cloud["velocity"].values[-2:])
    else:
        before, after = torch.zeros_like(slopes), (points[-2] - points[-1]) / sgd.lr
    drawn = (after - sgd.momentum * before) / (1 - sgd.dampening)
    result.velocity.append(_numbers(before @ V))
    result.next_position.append(_numbers((points[-1] - origin) @ V))
    result.gradient.append(_numbers(slopes @ V))
    result.noise.append(_numbers((drawn - slopes) @ V))
    result.loss.append(_numbers(losses))
    result.squared_gradient.append(_numbers(slopes.square().sum(dim=1)))
    result.squared_noise.append(_numbers((drawn - slopes).square().sum(dim=1)))


def _numbers(tensor: Tensor) -> Array:
    return to_numpy(tensor).astype(np.float64)
