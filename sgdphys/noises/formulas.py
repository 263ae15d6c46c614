"""Noise whose diffusion is a formula of the coordinates."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from sgdphys.checks import whole_number
from sgdphys.formula import FormulaMatrix, parse_matrix
from sgdphys.kernels import BlockTerm
from sgdphys.noises.state_dependent import FieldNoise, check_interpretation

__all__ = ["Formula"]


@dataclass(frozen=True, init=False, repr=False)
class Formula(FieldNoise):
    r"""Gaussian noise with a diffusion D(x) written as text.

    One formula d gives D = d(x) 1; a list of formulas D = diag(d_1(x), d_2(x), ...); a symmetric list of lists any
    D(x). The kick is :math:`\sqrt{2 T\,dt}\,B(x)\xi` with :math:`B = \sqrt{D}` of a scalar or diagonal D, and B the
    Cholesky factor of a tensor. ``interpretation`` says how B(x) and the noise are multiplied; all three have the same
    D and differ in the drift of the equivalent Ito equation,

    .. math:: dx = (-\nabla f + a\,T\,\mathrm{div} D)\,dt + \sqrt{2 T}\,B\,dW,
        \quad a = 0 \text{ (Ito)},\ 1/2 \text{ (Stratonovich)},\ 1 \text{ (Haenggi-Klimontovich)},

    with (div D)_i the sum of d_j D_ij over j, from the symbolic derivative. The equation that SGD obeys is Ito's. A
    particle that comes where D is not positive semi-definite is lost (NaN), and the run says so.

    Parameters
    ----------
    diffusion
        D in loss^2/x^2; formulas as :class:`sgdphys.landscapes.Expression` reads them, or numbers.
    interpretation
        ``"ito"``, ``"stratonovich"`` (scalar and diagonal D only) or ``"hanggi-klimontovich"``.
    dim
        Number of coordinates, for a single formula; that of the landscape if not given.
    **parameters
        Values of the names in the formulas.

    Raises
    ------
    FormulaError
        A formula holds something that is not allowed, the matrix is not square or symmetric, or the parameters do not
        fit.
    ValueError
        The interpretation is unknown or not one for this D, or ``dim`` does not fit.

    References
    ----------
    Haenggi & Thomas 1982, Phys. Rep. 88, 207, for the readings of multiplicative noise.

    Examples
    --------
    >>> import numpy as np
    >>> Formula("1 + x**2").diffusion(np.array([[2.0]])).tolist()
    [[[5.0]]]
    """

    matrix: FormulaMatrix
    interpretation: str
    dim: int | None

    def __init__(
        self, diffusion: Any, /, interpretation: str = "ito", dim: int | None = None, **parameters: float
    ) -> None:
        matrix = parse_matrix(diffusion, parameters)
        check_interpretation(interpretation, matrix.kind)
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "interpretation", interpretation)
        own = matrix.dim if matrix.kind != "scalar" else None
        object.__setattr__(self, "dim", own if dim is None else whole_number("dim", dim))
        if self.dim is not None:
            self._check_dim(self.dim)

    def __repr__(self) -> str:
        given = "".join(f", {name}={value:g}" for name, value in self.matrix.parameters)
        reading = "" if self.interpretation == "ito" else f", interpretation={self.interpretation!r}"
        return f"Formula({_listed(self.matrix.texts)!r}{reading}{given})"

    @property
    def kind(self) -> str:
        """``"scalar"``, ``"diagonal"`` or ``"full"``."""
        return self.matrix.kind

    @property
    def separable(self) -> bool:  # type: ignore[override]
        """Whether each D_ii depends on x_i alone; a single formula: in one dimension, where it names x0 alone."""
        return self.matrix.separable and (self.kind != "scalar" or self.dim == 1)

    def bound(self, landscape: Any) -> Formula:
        """Return the noise with the landscape's dimension; ValueError where it does not fit, or D < 0 at a minimum."""
        super().bound(landscape)
        noise = copy.copy(self)
        object.__setattr__(noise, "dim", landscape.dim)
        return noise

    def diffusion_terms(self, dim: int) -> tuple[BlockTerm, ...]:
        """Return the block term of D in 1, dim or dim^2 rows; raise ValueError where ``dim`` does not fit."""
        self._check_dim(dim)
        return (self.matrix.term("diffusion", dim),)

    def divergence_terms(self, dim: int) -> tuple[BlockTerm, ...]:
        """Return the block term of div D (row i: the sum of d_j D_ij over j)."""
        self._check_dim(dim)
        return (self.matrix.term("divergence", dim),)

    def _check_dim(self, dim: int) -> None:
        if self.dim is not None and dim != self.dim:
            raise ValueError(f"noise Formula has {self.dim} coordinates, the landscape has {dim}: they must be equal")
        if dim < self.matrix.dim or (self.kind != "scalar" and dim != self.matrix.dim):
            raise ValueError(f"noise Formula names {self.matrix.dim} coordinates, and there are {dim}: they must agree")

    def configuration(self) -> dict[str, Any]:
        """Return name, formulas, interpretation and parameters."""
        return {
            "noise": "Formula",
            "diffusion": _listed(self.matrix.texts),
            "interpretation": self.interpretation,
            "parameters": dict(self.matrix.parameters),
        }


def _listed(texts: Any) -> Any:
    return texts if isinstance(texts, str) else [_listed(text) for text in texts]
