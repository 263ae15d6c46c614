"""A network sweep with everything worked out that its points share: the door where its arguments are checked."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.sgd import SGD
from sgdphys.sweeps.network_points import NetworkPoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sgdphys.network import Network
    from sgdphys.sweeps.network_points import NetworkSettings

__all__ = ["NetworkPlan"]


@dataclass(frozen=True)
class NetworkPlan:
    """Arguments of a network sweep, checked; ``points`` are in the order in which they run."""

    network: Network
    lrs: tuple[float, ...]
    batch_sizes: tuple[int, ...]
    seeds: tuple[int, ...]
    momentum: float
    rank: int
    settings: NetworkSettings

    def __post_init__(self) -> None:
        settings = self.settings
        for name in ("n_replicas", "n_particles"):
            count = getattr(settings, name)
            if count < self.rank + 3:
                raise ValueError(
                    f"{name} must be at least {self.rank + 3}, three more than the {self.rank} directions that are "
                    f"compared, got {count}; raise {name} (--{name.replace('_', '-')})"
                )
        if settings.n_flatness < 1:
            raise ValueError(f"n_flatness must be at least 1, got {settings.n_flatness}")
        if not (np.isfinite(settings.times[-1]) and settings.times[-1] > 0):
            raise ValueError(f"t1 must be positive and finite, got {settings.times[-1]}")
        list(self.points())
        coarse = max(self.lrs)
        if np.any(np.diff(settings.steps(coarse)) < 1):
            raise ValueError(
                f"t1={settings.times[-1]:g} has fewer steps of lr={coarse:g} than frames, {len(settings.times)}; "
                "use a longer t1 or fewer frames"
            )

    def points(self) -> Iterator[NetworkPoint]:
        """Yield the points in order; SGD refuses impossible settings."""
        axes = (enumerate(self.lrs), enumerate(self.batch_sizes), enumerate(self.seeds))
        for (i, lr), (j, batch_size), (k, seed) in itertools.product(*axes):
            sgd = SGD(lr, batch_size, momentum=self.momentum, n_samples=self.network.n_samples)
            yield NetworkPoint((i, j, k), sgd, seed)

    def configuration(self) -> str:
        """Return, as JSON text, what repeats the sweep and tells it from another one."""
        settings = self.settings
        content = {
            "verb": "sweep",
            "network": {**self.network.configuration(), "initial_loss": float(f"{self.network.loss_value:.6g}")},
            "lrs": self.lrs,
            "batch_sizes": self.batch_sizes,
            "seeds": self.seeds,
            "momentum": self.momentum,
            "rank": self.rank,
            "times": settings.times.tolist(),
            "n_replicas": settings.n_replicas,
            "n_particles": settings.n_particles,
            "n_flatness": settings.n_flatness,
            "test_samples": None if settings.test_data is None else len(settings.test_data[1]),
        }
        return json.dumps(content, sort_keys=True)
