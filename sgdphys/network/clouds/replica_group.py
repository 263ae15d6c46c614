"""Some replicas of a network in motion: stacked weights, one forward and one backward pass for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from sgdphys.kernels.philox import STREAMS
from sgdphys.network.clouds.generators import generator_of
from sgdphys.network.clouds.indices import counter_words
from sgdphys.network.clouds.minibatches import Minibatches
from sgdphys.network.clouds.normals import counter_normals
from sgdphys.network.recording.channels import Channels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.clouds.behaviour import Behaviour
    from sgdphys.network.clouds.dynamics import Descent
    from sgdphys.network.clouds.gradients import BatchLoss
    from sgdphys.network.clouds.indices import Key
    from sgdphys.network.clouds.settings import ReplicaSettings, Stretch
    from sgdphys.network.objective import Objective
    from sgdphys.network.recording.settings import Recording

__all__ = ["ReplicaGroup", "Rule", "State"]

_INDICES = 2**17  # made at once: enough to hide the overhead, little enough to stay in cache
_AHEAD = 4096  # steps that are drawn at once, at most
_AHEAD_ALONE = 64  # the same of a replica that is not stacked with others, each of which keeps its own


class State(NamedTuple):
    """Positions and heavy-ball velocities (replica, d) and changing buffers (replica, ...) at an absolute step."""

    positions: Tensor
    velocities: Tensor | None
    buffers: dict[str, Tensor]
    step: int

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> State:
        """Return the state of some replicas."""
        some = torch.as_tensor(np.asarray(rows), device=self.positions.device)
        velocities = None if self.velocities is None else self.velocities[some]
        buffers = {name: buffer[some] for name, buffer in self.buffers.items()}
        return State(self.positions[some], velocities, buffers, self.step)

    def to(self, device: torch.device) -> State:
        """Return the state on a device."""
        velocities = None if self.velocities is None else self.velocities.to(device)
        buffers = {name: buffer.to(device) for name, buffer in self.buffers.items()}
        return State(self.positions.to(device), velocities, buffers, self.step)


@dataclass(frozen=True)
class Rule:
    """How the replicas of a run move: settings, dynamics, key of the random numbers, side effects of the model."""

    objective: Objective
    settings: ReplicaSettings
    dynamics: Descent
    key: Key
    behaviour: Behaviour
    recording: Recording | None = None


class _Pace(NamedTuple):
    """What a stretch of steps multiplies with: numbers, or tensors (replica,) where replicas differ."""

    lr: float | Tensor
    momentum: float | Tensor
    kept: float | Tensor  # of a gradient in the velocity, 1 - dampening
    noise: float | Tensor  # amplitude of the Gaussian kick


class _Block(NamedTuple):
    """Some steps: sample numbers (step, replica, batch), weights of the samples, pace, seeds of torch's generator."""

    steps: range
    indices: Tensor | None
    shares: Any
    pace: _Pace
    seeds: list[int]


class ReplicaGroup:
    """Replicas that advance together, or one replica alone.

    The sum over replicas of their batch losses has the gradient of each replica in its own rows, so a replica that
    diverges leaves the others as they are.

    Parameters
    ----------
    rule
        How the replicas of the whole cloud move.
    rows
        Numbers of the group's replicas in the cloud.
    state
        Where they start, of these replicas alone.
    loss
        Loss of the group, stacked or of one replica; groups that advance at the same time need each their own.
    """

    def __init__(self, rule: Rule, rows: NDArray[np.int64], state: State, loss: BatchLoss) -> None:
        self.rows, self.stopped = rows, False
        self._rule, self._loss, self._stacked = rule, loss, loss.stacked
        self._settings = rule.settings.take(rows)
        self._kind: dict[str, Any] = {"device": state.positions.device, "dtype": state.positions.dtype}
        self._replicas = torch.as_tensor(rows, device=state.positions.device)
        self._batches = Minibatches(self._settings, rows, rule.key, rule.dynamics.shares, self._kind)
        self._block: _Block | None = None
        self._nesterov = self._settings.sgd.nesterov
        self._load(state)
        self.channels: Channels | None = None
        if rule.recording is not None:
            shape, device = state.positions.shape, state.positions.device
            self.channels = Channels(rule.recording, shape[1], shape[0], state.positions, device)
            if state.step == 0:
                self._observe(0)

    def _load(self, state: State) -> None:
        model = self._rule.objective.model
        pieces = (piece.clone() for piece in model.pieces(self._own(state.positions)))
        self._weights: list[Tensor] = [torch.nn.Parameter(piece) for piece in pieces]
        velocities = None if state.velocities is None else model.pieces(self._own(state.velocities))
        self._velocities = None if velocities is None else [piece.clone() for piece in velocities]
        self._buffers = {name: self._own(buffer).clone() for name, buffer in state.buffers.items()}

    def _own(self, stacked: Tensor) -> Tensor:
        return stacked if self._stacked else stacked[0]

    def state(self, step: int) -> State:
        """Return the state of the group, replicas on the leading axis."""
        velocities = None if self._velocities is None else self._joined(self._velocities)
        buffers = {name: buffer if self._stacked else buffer[None] for name, buffer in self._buffers.items()}
        return State(self._joined(self._weights), velocities, buffers, step)

    def _joined(self, pieces: list[Tensor]) -> Tensor:
        return torch.cat([piece.detach().reshape(len(self.rows), -1) for piece in pieces], dim=1)

    def advance(self, first_step: int, n_steps: int) -> None:
        """Take ``n_steps`` steps, the first of them with the number ``first_step``."""
        step, last = first_step, first_step + n_steps
        while step < last:
            if self._block is None or step not in self._block.steps:
                self._block = self._prepared(step)
            stop = min(last, self._block.steps.stop)
            for number in range(step, stop):
                if self.stopped:  # by another thread
                    return
                self._step(number, self._block)
            step = stop

    def _prepared(self, step: int) -> _Block:
        """Return what the next steps need, as many as are drawn at once; a pause among them changes nothing."""
        at_once = _INDICES // (len(self.rows) * self._settings.largest_batch)
        at_once = max(1, min(at_once, _AHEAD if self._stacked else _AHEAD_ALONE))
        stretch = next(self._settings.stretches(step, step + at_once, at_once))
        indices, shares = self._batches.draw(stretch) if self._rule.dynamics.shares else (None, None)
        return _Block(stretch.steps, indices, shares, self._pace(stretch), self._seeds(stretch.steps))

    def _step(self, step: int, block: _Block) -> None:
        if block.seeds:
            generator_of(self._kind["device"]).manual_seed(block.seeds[step - block.steps.start])
        if block.indices is None:
            losses, gradients = self._loss.of_all(self._weights, self._buffers)
        else:
            rows = block.indices[step - block.steps.start]
            losses, gradients = self._loss.of_minibatches(self._weights, self._buffers, rows, block.shares)
        self._move(step, gradients, block.pace)
        if self.channels is not None and self.channels.due(step + 1):
            self._observe(step + 1, losses, gradients)

    def _observe(self, step: int, losses: Tensor | None = None, gradients: tuple[Tensor, ...] = ()) -> None:
        assert self.channels is not None
        state, norms = self.state(step), None
        if gradients:
            norms = torch.stack([self._joined([piece]).square().sum(dim=1) for piece in gradients]).sum(dim=0).sqrt()
        self.channels.observe(step, state.positions, losses, norms, velocities=state.velocities)

    def _seeds(self, steps: range) -> list[int]:
        """Return what to seed torch's generator with at each step, where the model draws from it."""
        if not self._rule.behaviour.random:
            return []
        numbers = torch.arange(steps.start, steps.stop, device=self._kind["device"])
        words = counter_words(self._rule.key, STREAMS["network_dropout"], numbers, self._replicas[:1], 2)[:, 0]
        return [(high << 31) | (low >> 1) for high, low in words.tolist()]

    def _pace(self, stretch: Stretch) -> _Pace:
        dynamics, sgds = self._rule.dynamics, stretch.sgds
        lrs = [sgd.lr / dynamics.substeps for sgd in sgds]
        noises = [0.0] * len(sgds)
        if hasattr(dynamics, "temperature"):
            noises = [(2 * dynamics.temperature * lr) ** 0.5 for lr in lrs]
        elif hasattr(dynamics, "factor"):
            noises = [(sgd.sampling_factor / sgd.batch_size) ** 0.5 for sgd in sgds]
        kept = [1 - sgd.dampening for sgd in sgds]
        return _Pace(*(self._each(values) for values in (lrs, [sgd.momentum for sgd in sgds], kept, noises)))

    def _each(self, values: list[float]) -> float | Tensor:
        if len(set(values)) == 1:
            return values[0]
        return torch.tensor(np.array(values)[self._settings.of_replica], **self._kind)

    def _move(self, step: int, gradients: tuple[Tensor, ...], pace: _Pace) -> None:
        kicks = self._kicks(step)
        with torch.no_grad():
            if kicks is not None and hasattr(self._rule.dynamics, "factor"):
                gradients = tuple(_plus(g, kick, pace.noise) for g, kick in zip(gradients, kicks, strict=True))
            self._descend(gradients, pace, first=step == 0)
            if kicks is not None and hasattr(self._rule.dynamics, "temperature"):
                for weight, kick in zip(self._weights, kicks, strict=True):
                    _add(weight, kick, pace.noise)

    def _descend(self, gradients: tuple[Tensor, ...], pace: _Pace, *, first: bool) -> None:
        lr, decay, momentum = pace.lr, self._rule.objective.weight_decay, pace.momentum
        if self._velocities is None:
            for weight, gradient in zip(self._weights, gradients, strict=True):
                _add(_scale(weight, 1 - lr * decay), gradient, -lr)
            return
        intake = 1.0 if first else pace.kept
        for weight, gradient, velocity in zip(self._weights, gradients, self._velocities, strict=True):
            _add(_add(_scale(velocity, momentum), gradient, intake), weight, intake * decay)
            if self._nesterov:  # x - lr (g + wd x + mu v); dampening is 0
                _add(_add(_scale(weight, 1 - lr * decay), gradient, -lr), velocity, -lr * momentum)
            else:
                _add(weight, velocity, -lr)

    def _kicks(self, step: int) -> list[Tensor] | None:
        model, dynamics = self._rule.objective.model, self._rule.dynamics
        count = dynamics.normals(model.dim)
        if not count:
            return None
        normals = counter_normals(self._rule.key, step, self._replicas, count, self._kind["dtype"])
        if hasattr(dynamics, "factor"):
            normals = normals @ torch.as_tensor(dynamics.factor, **self._kind).T
        return model.pieces(self._own(normals))


def _shaped(number: Tensor, like: Tensor) -> Tensor:
    return number.view(-1, *(1 for _ in like.shape[1:]))


def _scale(tensor: Tensor, number: float | Tensor) -> Tensor:
    if not isinstance(number, torch.Tensor) and number == 1:
        return tensor
    return tensor.mul_(_shaped(number, tensor) if isinstance(number, torch.Tensor) else number)


def _add(tensor: Tensor, other: Tensor, number: float | Tensor) -> Tensor:
    if isinstance(number, torch.Tensor):
        return tensor.addcmul_(_shaped(number, tensor), other)
    return tensor.add_(other, alpha=number)


def _plus(tensor: Tensor, other: Tensor, number: float | Tensor) -> Tensor:
    if isinstance(number, torch.Tensor):
        return tensor + _shaped(number, tensor) * other
    return torch.add(tensor, other, alpha=number)
