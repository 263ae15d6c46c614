"""What our noises share: a constant, diagonal-or-not Gaussian noise unless a class says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.kernels import BlockTerm, NormalsKernel

__all__ = ["READINGS", "BlockNoise"]

READINGS = {"ito": 0.0, "stratonovich": 0.5, "hanggi-klimontovich": 1.0}  # multiples of T div D in the Ito drift


class BlockNoise:
    """Defaults of :class:`sgdphys.protocols.Noise`: Gaussian noise whose diffusion does not depend on x.

    ``additive`` tells whether D is constant; ``diagonal`` whether B is diagonal with a channel for each coordinate
    (a multiple of the unit matrix counts as that); ``separable`` whether D_ii of a diagonal noise depends on x_i
    alone; ``gaussian`` whether kicks are normal deviates times B. ``interpretation`` says how the product of B(x) and
    the noise is meant; ``has_divergence`` whether div D, which joins the readings, has a kernel (or is 0). ``deviates``
    is the kernel that fills the channels, None for standard normals.
    """

    additive: bool = True
    diagonal: bool = False
    separable: bool = False
    has_divergence: bool = True
    gaussian: bool = True
    interpretation: str = "ito"
    deviates: NormalsKernel | None = None

    def divergence_terms(self, dim: int) -> tuple[BlockTerm, ...]:  # noqa: ARG002
        """Return block terms of div D (row i: the sum of d_j D_ij over j); none where D is constant."""
        return ()

    def work_rows(self, dim: int) -> int:  # noqa: ARG002
        """Return how many rows of scratch a kick needs."""
        return 0

    def amplitude(self, temperature: Any, dt: Any) -> NDArray[np.float64]:
        """Return what a kick over the time dt is multiplied by: sqrt(2 T dt)."""
        return np.asarray(np.sqrt(2 * np.asarray(temperature) * np.asarray(dt)))
