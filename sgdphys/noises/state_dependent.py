"""What noises with a diffusion D(x) share: interpretation, kick and diffusion of one field, and checks."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import BlockTerm, KickKernel, evaluate
from sgdphys.kernels.nested_terms import nested
from sgdphys.kernels.state_dependent_kicks import diagonal_field_kick, matrix_field_kick, scalar_field_kick
from sgdphys.noises.base import BlockNoise

if TYPE_CHECKING:
    from typing import Self

__all__ = ["INTERPRETATIONS", "FieldNoise", "check_diffusion", "check_interpretation", "landscape_of"]

Array = NDArray[np.float64]
INTERPRETATIONS = ("ito", "stratonovich", "hanggi-klimontovich")
_KICKS = {
    "scalar": KickKernel(scalar_field_kick),
    "diagonal": KickKernel(diagonal_field_kick),
    "full": KickKernel(matrix_field_kick),
}


class FieldNoise(BlockNoise):
    """A Gaussian noise whose D(x) is a field of block terms: ``kind`` "scalar" (d 1), "diagonal" or "full".

    Diffusion and kick evaluate the same terms: D in Python, its root in the engine. Where D is not positive
    semi-definite the kick is NaN and the particle counts as lost.
    """

    additive = False
    advice: ClassVar[str] = "give another D, or keep particles away"

    @property
    @abstractmethod
    def kind(self) -> str:
        """``"scalar"``, ``"diagonal"`` or ``"full"``."""

    @abstractmethod
    def diffusion_terms(self, dim: int) -> tuple[BlockTerm, ...]:
        """Return block terms of D in 1, dim or dim^2 rows; raise ValueError where ``dim`` does not fit."""

    @property
    def diagonal(self) -> bool:  # type: ignore[override]
        """Whether B is diagonal."""
        return self.kind != "full"

    def bound(self, landscape: Any) -> Self:
        """Return the noise for a landscape; raise ValueError where D is not one at the landscape's known minima."""
        self.diffusion_terms(landscape.dim)
        self.check_minima(landscape)
        return self

    def check_minima(self, landscape: Any) -> None:
        """Raise ValueError where D is negative or not finite at a known minimum, where particles are sure to come."""
        minima = np.asarray(getattr(landscape, "minima", ()), dtype=np.float64).reshape(-1, landscape.dim)
        check_diffusion(self, minima, "the landscape's minimum")

    def check_starts(self, starts: Array) -> None:
        """Raise ValueError where D is negative or not finite at one of some starts (particle, coordinate)."""
        check_diffusion(self, starts, "the start")

    def diffusion(self, x: Array) -> Array:
        """Return D at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        dim = x.shape[1]
        values = evaluate(self.diffusion_terms(dim), x, self._rows(dim))
        return values.reshape(-1, dim, dim) if self.kind == "full" else _spread(values, dim)

    def _rows(self, dim: int) -> int:
        return {"scalar": 1, "diagonal": dim, "full": dim * dim}[self.kind]

    def channels(self, dim: int) -> int:
        """Return the number of normals per kick, one per coordinate."""
        return dim

    def kick_term(self, dim: int) -> BlockTerm:
        """Return the kernel of the kick, and the terms of D as its parameters; ValueError where dim does not fit."""
        return BlockTerm(_KICKS[self.kind], nested(self.diffusion_terms(dim)))

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: those of D, and one for a factorisation."""
        return self._rows(dim) + (self.kind == "full")


def _spread(values: Array, dim: int) -> Array:
    """Return diagonal matrices (particle, dim, dim) of values (particle, 1 or dim)."""
    return np.asarray(values[:, :, np.newaxis] * np.eye(dim))


def check_interpretation(interpretation: str, kind: str) -> None:
    """Refuse an unknown reading of the noise, and Stratonovich's for a tensor.

    Raises
    ------
    ValueError
        With the reason.
    """
    if interpretation not in INTERPRETATIONS:
        raise ValueError(f"interpretation must be one of {', '.join(INTERPRETATIONS)}, got {interpretation!r}")
    if interpretation == "stratonovich" and kind == "full":
        raise ValueError(
            "the Stratonovich reading of a tensor D depends on its root B, which D does not tell: "
            'use "ito" or "hanggi-klimontovich", or a scalar or diagonal D'
        )


def check_diffusion(noise: Any, points: Array, place: str) -> None:
    """Refuse a D(x) that is no diffusion at points where particles are sure to be.

    Parameters
    ----------
    noise
        Has ``diffusion(x)`` and ``advice``, what to do about a negative one.
    points
        Shape (particle, coordinate).
    place
        What the message calls them.

    Raises
    ------
    ValueError
        D is negative or not finite at one of them.
    """
    with np.errstate(all="ignore"):
        diffusion = noise.diffusion(points)
    for point, matrix in zip(points, diffusion, strict=True):
        where = f"{place} ({', '.join(f'{value:.6g}' for value in point)})"
        if not np.all(np.isfinite(matrix)):
            raise ValueError(f"the diffusion of {noise!r:.80} is not finite at {where}")
        eigenvalues = np.linalg.eigvalsh(matrix)
        if eigenvalues[0] < -1e-10 * max(abs(eigenvalues)):
            raise ValueError(
                f"the diffusion of {noise!r:.80} must not be negative, at {where} it is {eigenvalues[0]:.6g}: "
                f"{noise.advice}"
            )


def landscape_of(noise: Any, landscape: Any) -> Any:
    """Return the landscape a noise takes D from: its own, or else that of the simulation.

    Where that circulates it is the gradient part, whose loss and Hessian are meant.

    Returns
    -------
    Any
        The landscape.

    Raises
    ------
    ValueError
        They differ in dimension, or the landscape changes in time.
    """
    own = landscape if noise.landscape is None else noise.landscape
    if isinstance(own, type) or not hasattr(own, "gradient_terms"):
        raise ValueError(f"{type(noise).__name__} takes D from a landscape with kernels, got {own!r:.60}")
    if own.dim != landscape.dim:
        raise ValueError(f"{noise!r} has a landscape of {own.dim} coordinates, the simulation one of {landscape.dim}")
    if hasattr(own, "protocol"):
        raise ValueError(f"{noise!r} takes D from a landscape that is constant in time; give it one by landscape=")
    return own.base if hasattr(own, "circulation") else own
