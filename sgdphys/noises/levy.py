"""Noise of stable laws: increments of a Levy process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.checks import finite_number
from sgdphys.kernels import BlockTerm, KickKernel
from sgdphys.kernels.blocks import NormalsKernel
from sgdphys.kernels.stable import fill_raw_words, stable_kick
from sgdphys.noises.base import BlockNoise

__all__ = ["Stable"]

Array = NDArray[np.float64]
_KICK = KickKernel(stable_kick)
_WORDS = NormalsKernel(fill_raw_words)
LEAST_ALPHA = 0.5


@dataclass(frozen=True)
class Stable(BlockNoise):
    r"""Independent symmetric alpha-stable noise of every coordinate.

    The increment of a coordinate over a time dt at temperature T has the characteristic function

    .. math:: \langle e^{i k\,\Delta x} \rangle = e^{-T\,dt\,|k|^\alpha},

    so it scales as :math:`(T\,dt)^{1/\alpha}`, and for alpha = 2 is that of Gaussian noise with D = 1. Below 2 the
    variance is infinite, and below or at 1 so is the mean magnitude. The components are independent, so the noise has
    preferred directions, the axes: it is not rotationally symmetric unless alpha = 2.

    Parameters
    ----------
    alpha
        Index of stability, from 0.5 to 2; 1 is Cauchy's law.

    Raises
    ------
    ValueError
        alpha is out of this range.

    References
    ----------
    Chambers, Mallows & Stuck 1976, J. Am. Stat. Assoc. 71, 340.
    """

    alpha: float
    additive = False  # no diffusion exists below alpha = 2, so what needs a constant one must not take it
    gaussian = False
    diagonal = True
    separable = True
    deviates = _WORDS

    def __post_init__(self) -> None:
        alpha = finite_number("alpha", self.alpha, sign="positive")
        if not LEAST_ALPHA <= alpha <= 2:
            raise ValueError(f"alpha must lie between {LEAST_ALPHA} and 2 (2 is Gaussian, 1 Cauchy), got {alpha:g}")
        object.__setattr__(self, "alpha", alpha)

    def diffusion(self, x: Array) -> Array:
        """Return the unit matrix for each point of ``x`` at alpha = 2; raise ValueError below, where there is none."""
        if self.alpha < 2:
            raise ValueError(
                f"stable noise of alpha = {self.alpha:g} has infinite variance and no diffusion D; what needs one "
                "(grids, Gaussian formulas) takes Stable(2) or noises.Isotropic(1.0)"
            )
        return np.broadcast_to(np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))

    def channels(self, dim: int) -> int:
        """Return the number of random words per kick, two per coordinate."""
        return 2 * dim

    def kick_term(self, dim: int) -> BlockTerm:  # noqa: ARG002
        """Return the kernel of the kick; it serves any number of coordinates."""
        return BlockTerm(_KICK, np.array([self.alpha]))

    def amplitude(self, temperature: Any, dt: Any) -> Array:
        """Return the scale of the increments over the time dt: (T dt)^(1/alpha)."""
        return np.asarray((np.asarray(temperature) * np.asarray(dt)) ** (1 / self.alpha), dtype=np.float64)

    def configuration(self) -> dict[str, Any]:
        """Return name and arguments."""
        return {"noise": "Stable", "alpha": self.alpha}
