"""Models of minibatch noise that take D(x) from the landscape: from the loss, or from the Hessian."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.checks import finite_number
from sgdphys.kernels import BlockTerm, FieldKernel, KickKernel, evaluate
from sgdphys.kernels.hessian_kicks import (
    DIFFERENCE_STEP,
    MOST_COORDINATES,
    absolute_hessian_kick,
    hessian_work_rows,
)
from sgdphys.kernels.nested_terms import nested
from sgdphys.kernels.state_dependent_kicks import constant_field, scaled_factor_kick
from sgdphys.noises.base import BlockNoise
from sgdphys.noises.gaussian import Full
from sgdphys.noises.state_dependent import FieldNoise, landscape_of

if TYPE_CHECKING:
    from sgdphys.protocols import Landscape, Term

__all__ = ["ProportionalToHessian", "ProportionalToLoss"]

Array = NDArray[np.float64]
_CONSTANT = FieldKernel(constant_field)
_SCALED_FACTOR = KickKernel(scaled_factor_kick)
_ABSOLUTE_HESSIAN = KickKernel(absolute_hessian_kick)


@dataclass(frozen=True, eq=False)
class ProportionalToLoss(FieldNoise):
    r"""Gaussian noise of diffusion :math:`D(x) = (c f(x) + \text{floor})\,M`, read as Ito.

    For least squares near a minimum the covariance of the per-sample gradients is 2 f(x) H with the Hessian H at the
    minimum: ``factor=2, matrix=H``. The stationary density of a quadratic then falls as a power of the loss, not
    exponentially. f must not be negative where ``floor`` does not make up for it; a particle with D < 0 is lost.

    Parameters
    ----------
    landscape
        The f(x) that is meant; that of the simulation if not given.
    factor
        c, not negative.
    matrix
        M, symmetric and positive semi-definite, (coordinate, coordinate); the unit matrix if not given.
    floor
        Noise that is left where f = 0, in loss^2/x^2 over M's unit.

    Raises
    ------
    ValueError
        A number is negative or not finite, or M is no covariance.

    References
    ----------
    Mori, Ziyin, Liu & Ueda 2022 (arXiv 2105.09557), equation 13.
    """

    landscape: Landscape | None = None
    factor: float = 1.0
    matrix: ArrayLike | None = None
    floor: float = 0.0
    advice: ClassVar[str] = "add a constant to the loss, or give floor="

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", finite_number("factor", self.factor, sign="not negative"))
        object.__setattr__(self, "floor", finite_number("floor", self.floor, sign="not negative"))
        if self.matrix is not None:
            object.__setattr__(self, "matrix", Full(self.matrix).matrix)

    def __repr__(self) -> str:
        matrix = "" if self.matrix is None else f", matrix of {len(np.asarray(self.matrix))} coordinates"
        return f"ProportionalToLoss(factor={self.factor:g}{matrix}, floor={self.floor:g})"

    @property
    def _unit(self) -> float | None:
        """The number m where M = m 1, else None."""
        if self.matrix is None:
            return 1.0
        matrix = np.asarray(self.matrix)
        return float(matrix[0, 0]) if np.array_equal(matrix, matrix[0, 0] * np.eye(len(matrix))) else None

    @property
    def kind(self) -> str:
        """``"scalar"`` where M is a multiple of the unit matrix, else ``"full"``."""
        return "full" if self._unit is None else "scalar"

    @property
    def separable(self) -> bool:  # type: ignore[override]
        """Whether there is one coordinate."""
        return self.landscape is not None and self.landscape.dim == 1

    @property
    def has_divergence(self) -> bool:  # type: ignore[override]
        """Whether div D has a kernel: where M is a multiple of the unit matrix."""
        return self._unit is not None

    def bound(self, landscape: Any) -> ProportionalToLoss:
        """Return the noise of a landscape; ValueError where it does not fit, or D is negative at a minimum."""
        noise = replace(self, landscape=landscape_of(self, landscape))
        noise.diffusion_terms(landscape.dim)
        noise.check_minima(landscape)
        return noise

    def diffusion_terms(self, dim: int) -> tuple[BlockTerm, ...]:
        """Return block terms of c f + floor, times m where M = m 1; ValueError where ``dim`` does not fit."""
        landscape = _bound_to(self, self.landscape, dim)
        if self.matrix is not None and len(np.asarray(self.matrix)) != dim:
            raise ValueError(f"the matrix of {self!r} and the landscape's {dim} coordinates must agree")
        unit = 1.0 if self._unit is None else self._unit
        rest = BlockTerm(_CONSTANT, np.array([unit * self.floor]))
        return (*_scaled(landscape.potential_terms(), unit * self.factor), rest)

    def divergence_terms(self, dim: int) -> tuple[BlockTerm, ...]:
        """Return block terms of c M grad f; none where M is no multiple of the unit matrix."""
        landscape = _bound_to(self, self.landscape, dim)
        return () if self._unit is None else _scaled(landscape.gradient_terms(), self._unit * self.factor)

    def diffusion(self, x: Array) -> Array:
        """Return D at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        if self._unit is not None:
            return super().diffusion(x)
        return np.asarray(evaluate(self.diffusion_terms(x.shape[1]), x, 1)[:, :, np.newaxis] * np.asarray(self.matrix))

    def kick_term(self, dim: int) -> BlockTerm:
        """Return the kernel of the kick; raise ValueError where ``dim`` does not fit."""
        if self._unit is not None:
            return super().kick_term(dim)
        root = Full(np.asarray(self.matrix)).factor.ravel()
        scalar = nested(self.diffusion_terms(dim))
        return BlockTerm(_SCALED_FACTOR, np.concatenate([[float(root.size)], root, scalar]))

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: c f + floor, and the constant root times the deviates."""
        return 1 if self._unit is not None else dim + 1

    def configuration(self) -> dict[str, Any]:
        """Return name and arguments; the landscape only where it was given apart."""
        matrix = None if self.matrix is None else Full(self.matrix).configuration()["matrix"]
        return {"noise": "ProportionalToLoss", "factor": self.factor, "matrix": matrix, "floor": self.floor}


@dataclass(frozen=True, eq=False)
class ProportionalToHessian(BlockNoise):
    r"""Gaussian noise of diffusion :math:`D(x) = c\,|H(x)|`, the matrix absolute value of the Hessian, read as Ito.

    :math:`|H| = V |\Lambda| V^T`. The Hessian is the central difference of the gradient on the block, good to about
    1e-9 of its size, at two gradients per coordinate and step; its eigenvectors come from Jacobi's rotations, for at
    most 8 coordinates.

    Where the curvature along a path changes its sign, D vanishes: in one dimension no particle diffuses across an
    inflection point, and the exponent of an escape across it, the integral of f'/D, diverges. For escapes give
    ``noises.Formula`` a D that is interpolated between the curvatures of minimum and saddle.

    Parameters
    ----------
    landscape
        The f(x) that is meant; that of the simulation if not given.
    factor
        c, not negative.

    Raises
    ------
    ValueError
        The factor is negative or not finite.

    References
    ----------
    Xie, Sato & Sugiyama 2021 (arXiv 2002.03495), for the model.
    """

    landscape: Landscape | None = None
    factor: float = 1.0
    additive = False
    has_divergence = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", finite_number("factor", self.factor, sign="not negative"))

    def __repr__(self) -> str:
        return f"ProportionalToHessian(factor={self.factor:g})"

    def bound(self, landscape: Any) -> ProportionalToHessian:
        """Return the noise of a landscape; raise ValueError where it does not fit."""
        noise = replace(self, landscape=landscape_of(self, landscape))
        noise._terms(landscape.dim)
        return noise

    def _terms(self, dim: int) -> tuple[Term, ...]:
        if dim > MOST_COORDINATES:
            raise ValueError(
                f"ProportionalToHessian diagonalises at most {MOST_COORDINATES} coordinates, the landscape has {dim}; "
                "use noises.Full with a fixed Hessian"
            )
        return tuple(_bound_to(self, self.landscape, dim).gradient_terms())

    def diffusion(self, x: Array) -> Array:
        """Return D at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        values, vectors = np.linalg.eigh(_difference_hessian(self._terms(x.shape[1]), x))
        return np.asarray(self.factor * np.einsum("pik,pk,pjk->pij", vectors, np.abs(values), vectors))

    def channels(self, dim: int) -> int:
        """Return the number of normals per kick, one per coordinate."""
        return dim

    def kick_term(self, dim: int) -> BlockTerm:
        """Return the kernel of the kick; raise ValueError where ``dim`` does not fit."""
        return BlockTerm(_ABSOLUTE_HESSIAN, np.concatenate([[self.factor], nested(self._terms(dim))]))

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch: Hessian, eigenvectors, a moved point, a rotation."""
        return int(hessian_work_rows(dim))

    def configuration(self) -> dict[str, Any]:
        """Return name and arguments."""
        return {"noise": "ProportionalToHessian", "factor": self.factor}


def _bound_to(noise: Any, landscape: Landscape | None, dim: int) -> Landscape:
    if landscape is None:
        raise ValueError(f"{noise!r} has no landscape yet; give landscape=, or use its bound(landscape)")
    if landscape.dim != dim:
        raise ValueError(f"{noise!r} has {landscape.dim} coordinates, the landscape has {dim}: they must be equal")
    return landscape


def _scaled(terms: tuple[Term, ...], factor: float) -> tuple[BlockTerm, ...]:
    return tuple(BlockTerm(term.kernel, term.parameters, term.factor * factor) for term in terms)  # type: ignore[arg-type]


def _difference_hessian(terms: tuple[Term, ...], x: Array) -> Array:
    """Return the symmetrised central difference of the gradient, with the steps of the kick's kernel."""
    dim = x.shape[1]
    columns = []
    for j in range(dim):
        step = np.zeros_like(x)
        step[:, j] = DIFFERENCE_STEP * (1 + np.abs(x[:, j]))
        difference = evaluate(terms, x + step, dim) - evaluate(terms, x - step, dim)
        columns.append(difference / (2 * step[:, j, np.newaxis]))
    matrix = np.stack(columns, axis=2)
    return np.asarray((matrix + matrix.transpose(0, 2, 1)) / 2)
