"""Landscapes whose force is no gradient: a potential, and a field that circulates on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sgdphys.kernels import BlockTerm, evaluate
from sgdphys.landscapes.base import BlockLandscape, as_points
from sgdphys.landscapes.circulating_parts import Circulating, FormulaCirculation, MatrixCirculation
from sgdphys.protocols import Curved, Landscape, Term

__all__ = ["Field"]

Array = NDArray[np.float64]


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Field(BlockLandscape):
    r"""A landscape with a circulating field c(x) besides the gradient of its potential.

    .. math:: dx = \big(-\nabla f(x) + c(x)\big)\,dt + \sqrt{2 T}\,B\,dW

    ``potential`` is f; ``gradient`` is :math:`\nabla f - c`, minus the whole drift, which engine and grids follow, and
    no derivative of a potential; ``hessian`` is the derivative of that, not symmetric. ``minima`` and ``saddles`` are
    those of f; the drift does not vanish there where c does not.

    With D = 1 the stationary state stays :math:`p \propto e^{-f/T}`, whatever the strength of c, exactly where
    :math:`\nabla\cdot(c\,e^{-f/T}) = 0`: for instance c = Q x with antisymmetric Q on :math:`f = |x|^2/2`. Any other c
    changes the state, and f is then not its potential.

    Parameters
    ----------
    base
        The landscape of f, with a gradient alone.
    circulation
        c in loss/x: a sequence of formulas, one for each coordinate, as :class:`sgdphys.landscapes.Expression` reads
        them; a matrix Q, shape (coordinate, coordinate), for c = Q x; or another landscape with a circulating part, of
        which that part alone is taken.
    **parameters
        Values of the names in the formulas.

    Raises
    ------
    FormulaError
        A formula cannot be read, or the parameters do not fit.
    ValueError
        The numbers of coordinates differ, the base circulates itself or changes in time, or the circulation is
        something else.

    References
    ----------
    Chaudhari & Soatto 2018, ICLR (arXiv 1710.11029), eq. 8, for SGD in this form.

    Examples
    --------
    >>> import numpy as np
    >>> from sgdphys.landscapes import Quadratic
    >>> Field(Quadratic(np.eye(2)), ["-a*y", "a*x"], a=3.0).gradient([[1.0, 0.0]]).tolist()
    [[1.0, -3.0]]
    """

    base: Landscape
    circulating: Any

    def __init__(self, base: Landscape, circulation: Any, /, **parameters: float) -> None:
        _check_base(base)
        circulating = _circulating(circulation, parameters)
        if circulating.dim != base.dim:
            raise ValueError(f"the circulation has {circulating.dim} coordinates, the base has {base.dim}: make equal")
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "circulating", circulating)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base!r:.80}, {self.circulating!r:.80})"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.base.dim

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return tuple(getattr(self.base, "coordinate_names", super().coordinate_names))

    @property
    def minima(self) -> Array:
        """Known minima of the potential, shape (minimum, coordinate)."""
        return np.asarray(getattr(self.base, "minima", super().minima))

    @property
    def saddles(self) -> Array:
        """Known saddles of the potential, shape (saddle, coordinate)."""
        return np.asarray(getattr(self.base, "saddles", super().saddles))

    def potential_terms(self) -> tuple[Term, ...]:
        """Return the block terms of the potential of the base."""
        return tuple(self.base.potential_terms())

    def gradient_terms(self) -> tuple[Term, ...]:
        """Return the block terms of grad f - c."""
        minus = (BlockTerm(t.kernel, t.parameters, -t.factor) for t in self.circulation_terms())  # type: ignore[arg-type]
        return (*self.base.gradient_terms(), *minus)

    def circulation_terms(self) -> tuple[Term, ...]:
        """Return the block terms of c, ``dim`` rows."""
        return tuple(self.circulating.circulation_terms())

    def circulation(self, x: ArrayLike) -> Array:
        """Return c at ``x`` (particle, coordinate), same shape, in loss/x."""
        return evaluate(self.circulation_terms(), as_points(x, self.dim), self.dim)

    def circulation_derivative(self, x: ArrayLike) -> Array:
        """Return d_j c_i at ``x`` (particle, coordinate), shape (particle, i, j), in loss/x^2."""
        return np.asarray(self.circulating.circulation_derivative(as_points(x, self.dim)))

    def hessian(self, x: ArrayLike) -> Array:
        """Return the derivative of grad f - c, d_j of row i, shape (particle, i, j), in loss/x^2; not symmetric."""
        points = as_points(x, self.dim)
        if not isinstance(self.base, Curved):
            raise ValueError(f"{type(self.base).__name__} has no hessian(x), so that a field on it has none")
        return np.asarray(self.base.hessian(points) - self.circulating.circulation_derivative(points))

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return the arrays of base and circulation that belong into a Dataset; of equal names the base's."""
        own: dict[str, tuple[tuple[str, ...], Array]] = getattr(self.circulating, "variables", dict)()
        return own | getattr(self.base, "variables", dict)()

    def configuration(self) -> dict[str, Any]:
        """Return the class name, the configuration of the base, and the circulation."""
        describe = getattr(self.base, "configuration", lambda: {"landscape": type(self.base).__qualname__})
        own = self.circulating.configuration()
        arguments = {"circulation": own, "parameters": {}} if "landscape" in own else own
        return {"landscape": "Field", "base": describe(), **arguments}


def _check_base(base: Any) -> None:
    if not isinstance(base, Landscape):
        raise ValueError(f"base must be a landscape, got {type(base).__name__}")
    if hasattr(base, "circulation"):
        raise ValueError(
            "base must have no circulating part of its own; add the circulations up, and give base.base as the base"
        )
    if hasattr(base, "protocol"):
        raise ValueError(
            "a landscape with a protocol is no base; use Driven(Field(base, circulation), drive, protocol)"
        )


def _circulating(circulation: Any, parameters: dict[str, float]) -> Any:
    """Return what circulates as an object with kernels."""
    if isinstance(circulation, str):
        raise ValueError(
            f"circulation must be a formula for each coordinate, in a list, got the text {circulation!r:.60}"
        )
    if isinstance(circulation, Sequence) and circulation and all(isinstance(text, str) for text in circulation):
        return FormulaCirculation(tuple(circulation), parameters)
    if parameters:
        raise ValueError(f"{', '.join(parameters)}: only formulas have parameters; leave them out")
    if isinstance(circulation, Landscape) and not hasattr(circulation, "circulation"):
        raise ValueError(f"{circulation!r:.60} has no circulating part; give formulas, a matrix or a Field")
    if isinstance(circulation, Circulating):
        return circulation
    return MatrixCirculation(circulation)
