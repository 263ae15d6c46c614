"""What circulates: the field c(x) of formulas or of a matrix, and that of sums and multiples of landscapes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sgdphys.errors import FormulaError
from sgdphys.formula.fields import parameter_values
from sgdphys.formula.generated import field_kernel, matrix_kernel
from sgdphys.formula.parser import Parser
from sgdphys.formula.tree import Node
from sgdphys.kernels import BlockTerm, FieldKernel, evaluate
from sgdphys.kernels.linear_algebra import accumulate_product
from sgdphys.landscapes.base import as_points, finite_array
from sgdphys.protocols import Landscape, Term

__all__ = ["Circulating", "CirculationOfParts", "FormulaCirculation", "MatrixCirculation", "without_circulation"]

Array = NDArray[np.float64]
_MAX_INLINE = 32  # coordinates; a larger matrix is stored as a variable, not inside the configuration


@runtime_checkable
class Circulating(Protocol):
    """Anything with a circulating field: that of formulas or a matrix, a landscape with such a part, a table."""

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        ...

    def circulation_terms(self) -> tuple[Term, ...]:
        """Return the block kernels whose sum is c, ``dim`` rows."""
        ...

    def circulation_derivative(self, x: Array) -> Array:
        """Return d_j c_i at ``x`` (particle, coordinate), shape (particle, i, j), in loss/x^2."""
        ...


def circulation_product(x, parameters, factor, out):  # type: ignore[no-untyped-def]
    """Add ``factor * Q x``; parameters are the matrix row by row."""
    accumulate_product(parameters, x, factor, out)  # type: ignore[no-untyped-call]


_PRODUCT = FieldKernel(circulation_product)


@dataclass(frozen=True, repr=False, eq=False)
class FormulaCirculation:
    """The field c(x) of one formula a coordinate; its derivatives are symbolic.

    Parameters
    ----------
    texts
        Formulas of the coordinates x, y, z or x0, x1, ..., in loss/x.
    parameters
        Values of the names in them.

    Raises
    ------
    FormulaError
        A formula cannot be read, names a coordinate that there is not, or a parameter is not used.
    """

    texts: tuple[str, ...]
    parameters: Mapping[str, float]

    def __post_init__(self) -> None:
        values = parameter_values(self.parameters)
        parsers = [Parser(text, tuple(values)) for text in self.texts]
        trees = tuple(parser.formula() for parser in parsers)
        unused = sorted(set(values).difference(*(parser.used for parser in parsers)))
        if unused:
            raise FormulaError(f"no formula of the circulation uses the parameter {', '.join(unused)}; leave it out")
        named = 1 + max((index for parser in parsers for index in parser.coordinates.values()), default=0)
        if named > len(trees):
            raise FormulaError(f"the circulation has {len(trees)} formulas, but they name {named} coordinates")
        object.__setattr__(self, "parameters", values)
        object.__setattr__(self, "_trees", trees)

    def __repr__(self) -> str:
        given = "".join(f", {name}={value:g}" for name, value in self.parameters.items())
        return f"{list(self.texts)!r}{given}"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.texts)

    @property
    def _numbers(self) -> Array:
        return np.array(list(self.parameters.values()))

    def circulation_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of c."""
        trees: tuple[Node, ...] = self._trees  # type: ignore[attr-defined]
        return (BlockTerm(matrix_kernel("diffusion", trees, "diagonal", self.dim), self._numbers),)

    def circulation_derivative(self, x: Array) -> Array:
        """Return d_j c_i at ``x`` (particle, coordinate), shape (particle, i, j)."""
        trees: tuple[Node, ...] = self._trees  # type: ignore[attr-defined]
        terms = [BlockTerm(field_kernel("gradient", tree, self.dim), self._numbers) for tree in trees]
        return np.stack([evaluate([term], x, self.dim) for term in terms], axis=1)

    def configuration(self) -> dict[str, Any]:
        """Return formulas and parameters, as ``landscapes.Field`` takes them."""
        return {"circulation": list(self.texts), "parameters": dict(self.parameters)}

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return no arrays."""
        return {}


@dataclass(frozen=True, repr=False, eq=False)
class MatrixCirculation:
    """The linear field c = Q x.

    Parameters
    ----------
    matrix
        Q, shape (coordinate, coordinate), in loss/x^2.

    Raises
    ------
    ValueError
        The matrix is not square and finite.
    """

    matrix: Array

    def __post_init__(self) -> None:
        matrix = finite_array("circulation", self.matrix, (None, None))
        if matrix.shape[0] != matrix.shape[1] or not matrix.size:
            raise ValueError(f"circulation must be a square matrix, got the shape {matrix.shape}")
        object.__setattr__(self, "matrix", matrix)

    def __repr__(self) -> str:
        return str(self.matrix.tolist()) if self.matrix.size <= 9 else f"matrix of {self.dim} coordinates"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.matrix)

    def circulation_terms(self) -> tuple[BlockTerm, ...]:
        """Return the block term of c, a matrix product."""
        return (BlockTerm(_PRODUCT, self.matrix.ravel()),)

    def circulation_derivative(self, x: Array) -> Array:
        """Return Q at each point of ``x`` (particle, coordinate); a read-only view."""
        return np.broadcast_to(self.matrix, (len(x), self.dim, self.dim))

    def configuration(self) -> dict[str, Any]:
        """Return the matrix, as ``landscapes.Field`` takes it; a large one is left to :meth:`variables`."""
        return {"circulation": self.matrix.tolist() if self.dim <= _MAX_INLINE else None, "parameters": {}}

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return a large matrix by its schema name."""
        if self.dim <= _MAX_INLINE:
            return {}
        return {"circulation_matrix": (("coordinate", "coordinate_2"), self.matrix)}


class CirculationOfParts:
    """The circulating part of a weighted sum of landscapes.

    ``base``, ``circulation``, ``circulation_terms`` and ``circulation_derivative`` are there only where one of the
    landscapes has a circulating part, so that ``hasattr(landscape, "circulation")`` tells the truth of sums too.
    """

    @property
    @abstractmethod
    def weighted(self) -> tuple[tuple[Landscape, float], ...]:
        """The summands and their factors."""

    @property
    def base(self) -> Landscape:
        """The same sum of the gradient parts."""
        from sgdphys.landscapes.algebra import Scaled, Sum

        self._circulating("base")
        parts = [(without_circulation(part), factor) for part, factor in self.weighted]
        scaled = [part if factor == 1 else Scaled(part, factor) for part, factor in parts]
        return scaled[0] if len(scaled) == 1 else Sum(*scaled)

    @property
    def circulation_terms(self) -> Callable[[], tuple[Term, ...]]:
        """The function that returns the block terms of the sum of the circulations."""
        parts = self._circulating("circulation_terms")
        scaled = [(term, factor) for part, factor in parts for term in part.circulation_terms()]
        terms = tuple(BlockTerm(term.kernel, term.parameters, factor * term.factor) for term, factor in scaled)
        return lambda: terms

    @property
    def circulation(self) -> Callable[[Array], Array]:
        """The function that returns the sum of the circulations at points (particle, coordinate), in loss/x."""
        dim = self._circulating("circulation")[0][0].dim
        terms = self.circulation_terms()
        return lambda x: evaluate(terms, as_points(x, dim), dim)

    @property
    def circulation_derivative(self) -> Callable[[Array], Array]:
        """The function that returns the derivative of the circulation, shape (particle, i, j)."""
        parts = self._circulating("circulation_derivative")
        return lambda x: np.asarray(sum(factor * part.circulation_derivative(x) for part, factor in parts))

    def _circulating(self, name: str) -> list[tuple[Any, float]]:
        parts = [(part, factor) for part, factor in self.weighted if hasattr(part, "circulation")]
        if not parts:
            raise AttributeError(f"{type(self).__name__} of gradient landscapes has no {name}")
        return parts


def without_circulation(landscape: Any) -> Landscape:
    """Return the gradient part of a landscape: its base where something circulates, else the landscape itself."""
    base: Landscape = landscape.base if hasattr(landscape, "circulation") else landscape
    return base
