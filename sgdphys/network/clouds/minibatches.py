"""The minibatches of some replicas: which samples, and how much each counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sgdphys.network.clouds.indices import IndexStream

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.clouds.indices import Key
    from sgdphys.network.clouds.settings import ReplicaSettings, Stretch
    from sgdphys.sgd import SGD

__all__ = ["Minibatches"]

_STREAMS = ("network_indices", "network_second_indices")


@dataclass(frozen=True)
class _Kind:
    """Replicas of one kind of settings: their rows in the group and their numbers in the cloud."""

    rows: Tensor
    replicas: Tensor
    streams: dict[tuple[str, int], IndexStream]


class Minibatches:
    """Draws the samples of a group of replicas; smaller batches are padded with samples that count nothing.

    Parameters
    ----------
    settings
        Settings of the group's replicas.
    numbers
        Their numbers in the whole cloud.
    key
        Key of the indices.
    shares
        Weights of the independent minibatches of a step, one after the other in the result.
    kind
        Device and floating type.
    """

    def __init__(
        self, settings: ReplicaSettings, numbers: NDArray[np.int64], key: Key, shares: tuple[float, ...], kind: Any
    ) -> None:
        self._count, self._key, self._shares, self._kind = len(numbers), key, shares, kind
        self._kinds = []
        for number in range(len(settings.schedules)):
            rows = np.flatnonzero(settings.of_replica == number)
            among = torch.as_tensor(rows, device=kind["device"])
            self._kinds.append(_Kind(among, torch.as_tensor(numbers[rows], device=kind["device"]), {}))

    def draw(self, stretch: Stretch) -> tuple[Tensor, Any]:
        """Return sample numbers (step, replica, batch), and their weights (replica, batch) or the one batch size."""
        parts = [self._rows(name, stretch) for name in _STREAMS[: len(self._shares)]]
        sizes = {sgd.batch_size for sgd in stretch.sgds}
        if self._shares == (1.0,) and len(sizes) == 1:
            return parts[0], sizes.pop()
        return torch.cat(parts, dim=-1), self._weights(stretch)

    def _rows(self, name: str, stretch: Stretch) -> Tensor:
        widest = max(sgd.batch_size for sgd in stretch.sgds)
        drawn = [
            self._stream(kind, name, sgd).draw_for(stretch.steps, kind.replicas, places)
            for kind, sgd, places in zip(self._kinds, stretch.sgds, stretch.places, strict=True)
        ]
        if len(drawn) == 1:
            return drawn[0]
        rows = torch.zeros(len(stretch.steps), self._count, widest, dtype=torch.int64, device=self._kind["device"])
        for kind, own in zip(self._kinds, drawn, strict=True):
            rows[:, kind.rows, : own.shape[-1]] = own
        return rows

    def _stream(self, kind: _Kind, name: str, sgd: SGD) -> IndexStream:
        if (name, sgd.batch_size) not in kind.streams:
            assert sgd.n_samples is not None
            device = self._kind["device"]
            stream = IndexStream(self._key, sgd.n_samples, sgd.batch_size, sgd.sampling, device, name)
            kind.streams[name, sgd.batch_size] = stream
        return kind.streams[name, sgd.batch_size]

    def _weights(self, stretch: Stretch) -> Tensor:
        widest = max(sgd.batch_size for sgd in stretch.sgds)
        weights = torch.zeros(self._count, len(self._shares), widest, **self._kind)
        for kind, sgd in zip(self._kinds, stretch.sgds, strict=True):
            own = torch.tensor(self._shares, **self._kind)[:, None] / sgd.batch_size
            weights[kind.rows, :, : sgd.batch_size] = own.expand(-1, sgd.batch_size)
        return weights.flatten(1)
