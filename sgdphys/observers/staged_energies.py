"""Energies that change with the stages of a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.checks import whole_number
from sgdphys.kernels.energies import listed
from sgdphys.protocols import Landscape

__all__ = ["StagedEnergy"]

Array = NDArray[np.float64]


class StagedEnergy:
    """A landscape for each stage of a schedule.

    Parameters
    ----------
    stages
        Pairs of a landscape and a number of steps, in the order of the stages; the last one holds ever after.

    Raises
    ------
    ValueError
        There is no stage, a pair is none, a landscape has no potential, a protocol or another dimension than the first,
        or a number of steps is not positive.
    """

    def __init__(self, stages: Sequence[tuple[Landscape, int]]) -> None:
        pairs = [_checked(pair, number) for number, pair in enumerate(stages)]
        if not pairs:
            raise ValueError("an energy in stages needs at least one pair of a landscape and a number of steps")
        self.landscapes = tuple(landscape for landscape, _ in pairs)
        self.n_steps = tuple(n_steps for _, n_steps in pairs)
        dims = {landscape.dim for landscape in self.landscapes}
        if len(dims) > 1:
            raise ValueError(f"the energies of all stages must have equally many coordinates, got {sorted(dims)}")

    def __repr__(self) -> str:
        return f"StagedEnergy of {len(self.landscapes)} stages"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return int(self.landscapes[0].dim)

    def at(self, step: int) -> Landscape:
        """Return the landscape that holds at an absolute step."""
        number = int(np.searchsorted(np.cumsum(self.n_steps), step, side="right"))
        found: Landscape = self.landscapes[min(number, len(self.landscapes) - 1)]
        return found

    def numbers(self, dim: int, bound: float, first: int) -> Array:
        """Return the parameters of ``kernels.staged_work`` for a run."""
        energies = [listed(landscape.potential_terms()) for landscape in self.landscapes]
        places = 4 + 2 * len(energies) + np.cumsum([0, *map(len, energies[:-1])])
        heads = np.stack([np.cumsum(self.n_steps), places], axis=1).astype(np.float64)
        return np.concatenate([[dim, bound, first, len(energies)], heads.ravel(), *energies])

    def configuration(self) -> dict[str, Any]:
        """Return the landscapes' configurations and the numbers of steps."""
        described = [landscape.configuration() for landscape in self.landscapes]
        return {"landscape": "StagedEnergy", "stages": described, "n_steps": list(self.n_steps)}


def _checked(pair: Any, number: int) -> tuple[Any, int]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f"stage {number} of the energy must be a pair of landscape and number of steps")
    landscape, n_steps = pair
    if not hasattr(landscape, "potential_terms") or hasattr(landscape, "protocol"):
        raise ValueError(f"the energy of stage {number} must be a landscape without a protocol, got {landscape!r:.60}")
    return landscape, whole_number(f"the number of steps of stage {number}", n_steps)
