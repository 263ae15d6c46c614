"""Recording of anyone's own training loop, with two further lines of code."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import torch

import sgdphys
from sgdphys import schema
from sgdphys.checks import finite_number
from sgdphys.network.recording.channels import Channels
from sgdphys.network.recording.settings import Recording
from sgdphys.network.recording.streams import RecordingStore
from sgdphys.network.tensors import numbers_like

if TYPE_CHECKING:
    import os

    from torch import Tensor

__all__ = ["Recorder"]

_ROWS = 1024  # waiting in memory at most
_SECONDS = 5.0  # that rows wait at most before they are committed


class Recorder:
    r"""Records a training loop of any optimiser or trainer into a store that survives being killed.

    .. code-block:: python

        with sp.network.Recorder(model, "run.zarr", optimizer=optimizer) as recorder:
            for inputs, targets in loader:
                ...
                optimizer.step()
                recorder.step(loss)

    The parameters are only read; they are those that require a gradient, in the order of ``named_parameters``. Two
    copies of them are held: the start, and the line before. The gradient norm is that of ``p.grad`` as ``step`` finds
    it, after clipping or scaling, and NaN where there is none. ``sgdphys.open(store)`` gives what was committed, of a
    killed run too: scalars over (line, particle), and over time ``sketch`` and, where a basis is given, ``position``,
    which makes it a cloud of one particle for every analysis. Under ``torch.distributed`` rank 0 records and the others
    do nothing; parameters that are sharded between ranks cannot be recorded.

    Parameters
    ----------
    model
        Module that is trained.
    store
        Path of the store.
    optimizer
        Whose learning rate, that of its first parameter group at the call of ``step``, adds to the time.
    lr
        Constant learning rate where there is no optimizer at hand; with neither, time counts steps, and the attribute
        ``time_unit`` is ``"1"``.
    basis, origin, sketch, every, frames, anchors, seed
        As for ``Recording``; ``every`` and ``frames`` count steps.
    resume
        Go on with the store if there is one, from its last committed step, which ``steps`` tells; the model must be
        that of this step. Where no line was due at this step, the next line does not know its move, which is NaN then.
        Without, an existing store is refused.
    overwrite
        Replace an existing store.

    Raises
    ------
    ValueError
        No parameter requires a gradient, a setting breaks its rule, both ``optimizer`` and ``lr`` are given, or the
        store to resume has other settings, directions or another origin.
    TypeError
        The model is no module, or the optimizer none.
    StoreError
        A store is there already, or what is there to resume is none.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        store: str | os.PathLike[str],
        *,
        optimizer: torch.optim.Optimizer | None = None,
        lr: float | None = None,
        basis: Any = None,
        origin: Any = None,
        sketch: int = 1024,
        every: int = 1,
        frames: int = 10,
        anchors: int = 4,
        seed: int = 0,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        _check_kinds(model, optimizer, lr)
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        if not self._parameters:
            raise ValueError("no parameter of the model requires a gradient: there is nothing to record")
        self.recording = Recording(every, frames, sketch, basis, origin, anchors, seed)
        self._optimizer = optimizer
        self._lr = None if lr is None else finite_number("lr", lr, sign="positive")
        self._names = [name for name, p in model.named_parameters() if p.requires_grad]
        self.steps, self.time = 0, 0.0
        self._times: dict[int, float] = {}
        self._store: RecordingStore | None = None
        self._last_flush = time.monotonic()
        if not _is_another_rank():
            self._begin(store, resume=resume, overwrite=overwrite)

    def _begin(self, store: str | os.PathLike[str], *, resume: bool, overwrite: bool) -> None:
        here = self._flat()
        self._store = RecordingStore(store)
        start = self._store.resumed(self._attributes()) if resume and self._store.exists else None
        begin = here if start is None else start.to(here)
        self._channels = Channels(self.recording, here.shape[1], 1, begin, here.device)
        if start is not None:
            self.steps, self.time = self._store.reached
            self._store.refuse_other(self._channels)
            known = self.recording.keeps_line(self.steps)
            self._channels.set_before(here if known else torch.full_like(here, torch.nan))
            return
        self._store.create(self._channels, self._attributes(), overwrite=overwrite)
        self._keep(here, None)
        self._flush()

    @torch.no_grad()
    def _flat(self) -> Tensor:
        flat = torch.cat([p.detach().reshape(-1) for p in self._parameters])[None]
        return flat if flat.element_size() >= 4 else flat.float()  # half precision cannot hold what is summed here

    def step(self, loss: Any = None) -> None:
        """Record the state after a step of the optimiser.

        Parameters
        ----------
        loss
            Loss of the minibatch of this step, a number or a tensor; it is not computed here.

        Raises
        ------
        ValueError
            The loss is no single number; the step does not count then.
        """
        if self._store is None:
            return
        value = _number_of(loss)
        self.steps += 1
        self.time += self._current_lr()
        if not self.recording.due(self.steps):
            return
        self._keep(self._flat(), value)
        waiting = self._channels.waiting
        late = time.monotonic() - self._last_flush > _SECONDS
        if late or waiting["anchor_step"] or max(waiting.values()) >= _ROWS:
            self._flush()

    def _keep(self, positions: Tensor, loss: Tensor | None) -> None:
        self._times[self.steps] = self.time
        value = None if loss is None else loss.to(positions)
        norm = self._gradient_norm() if self.recording.keeps_line(self.steps) else None
        self._channels.observe(self.steps, positions, value, None if norm is None else norm.to(positions))

    @torch.no_grad()
    def _gradient_norm(self) -> Tensor | None:
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        if not gradients:
            return None
        norms: Tensor = torch.stack([torch.linalg.vector_norm(g) for g in gradients])
        return norms.square().sum().sqrt()[None]

    def _current_lr(self) -> float:
        if self._optimizer is not None:
            return float(self._optimizer.param_groups[0]["lr"])
        return 1.0 if self._lr is None else self._lr

    def _flush(self, *, finished: bool = False) -> None:
        assert self._store is not None
        self._store.write(self._channels.take(), self._times, finished=finished)
        self._times = {}
        self._last_flush = time.monotonic()

    def _attributes(self) -> dict[str, Any]:
        configuration = {
            "verb": "record",
            "recording": self.recording.configuration(),
            "parameters": self._names,
            "shapes": [list(p.shape) for p in self._parameters],
            "optimizer": None if self._optimizer is None else type(self._optimizer).__name__,
            "lr": self._lr,
            "torch": torch.__version__,
        }
        attributes: dict[str, Any] = schema.attributes_of(json.dumps(configuration), sgdphys.__version__)
        counted = self._optimizer is None and self._lr is None
        return attributes | {"time_unit": "1" if counted else schema.BY_NAME["time"].units}

    def close(self, *, finished: bool = True) -> None:
        """Write what is held back; ``finished`` marks the recording as complete."""
        if self._store is not None:
            self._flush(finished=finished)
            self._store.close()
            self._store = None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(finished=kind is None)


def _check_kinds(model: Any, optimizer: Any, lr: Any) -> None:
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if optimizer is None:
        return
    if not hasattr(optimizer, "param_groups"):
        raise TypeError(f"optimizer must be a torch optimizer, got {type(optimizer).__name__}")
    if lr is not None:
        raise ValueError("optimizer= tells the learning rate already; give it or lr=, not both")


def _number_of(loss: Any) -> Tensor | None:
    if loss is None:
        return None
    value = loss.detach() if isinstance(loss, torch.Tensor) else numbers_like("loss", loss, torch.empty(0).double())
    if value.numel() != 1:
        raise ValueError(
            f"loss must be one number, that of the minibatch, got shape {tuple(value.shape)}; take its mean"
        )
    return value.reshape(1)


def _is_another_rank() -> bool:
    distributed = torch.distributed
    return distributed.is_available() and distributed.is_initialized() and distributed.get_rank() != 0
