"""Matrices of formulas, D(x): one formula times the unit matrix, a diagonal of them, or a symmetric square."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.errors import FormulaError
from sgdphys.formula.fields import parameter_values
from sgdphys.formula.generated import matrix_kernel
from sgdphys.formula.parser import Parser
from sgdphys.formula.tree import Coordinate, Node, Number, evaluate_tree, nodes
from sgdphys.kernels import BlockTerm

__all__ = ["FormulaMatrix", "parse_matrix"]

Array = NDArray[np.float64]
_SOME_POINTS = 16


@dataclass(frozen=True)
class FormulaMatrix:
    """Parsed entries of D(x) with the values of their parameters; made by :func:`parse_matrix`.

    Parameters
    ----------
    texts
        What was read: one text, a tuple of them, or a tuple of tuples.
    trees
        Syntax trees: one (D = d 1), ``dim`` (the diagonal), or dim^2 (row-major).
    kind
        ``"scalar"``, ``"diagonal"`` or ``"full"``.
    dim
        Number of coordinates; for a scalar the least one, that of the highest coordinate it names.
    parameters
        Pairs of name and value.
    """

    texts: Any
    trees: tuple[Node, ...]
    kind: str
    dim: int
    parameters: tuple[tuple[str, float], ...] = ()

    @property
    def separable(self) -> bool:
        """Whether every entry of the diagonal depends on its own coordinate alone; a scalar: on x0 alone."""
        own = zip(self.trees, range(len(self.trees)), strict=True)
        return self.kind != "full" and all(_coordinates(tree) <= {index} for tree, index in own)

    def rows(self, dim: int) -> int:
        """Return the rows of the field ``"diffusion"`` of ``dim`` coordinates: 1, dim or dim^2."""
        return {"scalar": 1, "diagonal": dim, "full": dim * dim}[self.kind]

    def term(self, field: str, dim: int) -> BlockTerm:
        """Return the block term of ``"diffusion"`` (the entries) or ``"divergence"`` (row i: sum of d_j D_ij)."""
        return BlockTerm(
            matrix_kernel(field, self.trees, self.kind, dim), np.array([value for _, value in self.parameters])
        )


def parse_matrix(entries: Any, parameters: Mapping[str, float] | None = None) -> FormulaMatrix:
    """Read a formula, a list of formulas, or a symmetric list of lists; numbers stand for constant entries.

    Parameters
    ----------
    entries
        Texts as :func:`sgdphys.formula.parse_formula` reads them, of the coordinates x, y, z or x0, x1, ...
    parameters
        Values of the parameters by name.

    Returns
    -------
    FormulaMatrix
        The parsed entries.

    Raises
    ------
    FormulaError
        An entry cannot be read, the list is neither square nor flat, is not symmetric, has fewer rows than there are
        coordinates, or a parameter is not used.
    """
    values = parameter_values(parameters or {})
    kind, texts = _arranged(entries)
    flat = [text for row in texts for text in row] if kind == "full" else [texts] if kind == "scalar" else list(texts)
    parsers = [Parser(text, tuple(values)) for text in flat]
    trees = tuple(parser.formula() for parser in parsers)
    unused = sorted(set(values).difference(*(parser.used for parser in parsers)))
    if unused:
        raise FormulaError(f"no formula of the diffusion uses the parameter {', '.join(unused)}; leave it out")
    needed = 1 + max((index for tree in trees for index in _coordinates(tree)), default=0)
    dim = needed if kind == "scalar" else len(texts)
    if needed > dim:
        raise FormulaError(f"the diffusion has {dim} entries in a row, but its formulas name {needed} coordinates")
    _check_letters(parsers)
    matrix = FormulaMatrix(texts, trees, kind, dim, tuple(values.items()))
    if kind == "full":
        _check_symmetric(matrix)
    return matrix


def _arranged(entries: Any) -> tuple[str, Any]:
    """Return the kind and the texts as tuples."""
    if isinstance(entries, (str, Real)):
        return "scalar", _text(entries)
    if not isinstance(entries, Sequence) or not len(entries):
        raise FormulaError(f"a diffusion is a formula, a list of them or a list of lists, got {entries!r:.60}")
    if all(isinstance(entry, (str, Real)) for entry in entries):
        return "diagonal", tuple(map(_text, entries))
    rows = [entry if isinstance(entry, Sequence) and not isinstance(entry, str) else () for entry in entries]
    if any(len(row) != len(rows) for row in rows):
        raise FormulaError(f"a diffusion matrix of formulas must be square, got rows of {[len(row) for row in rows]}")
    return "full", tuple(tuple(map(_text, row)) for row in rows)


def _text(entry: Any) -> str:
    return entry if isinstance(entry, str) else repr(float(entry)) if isinstance(entry, Real) else str(entry)


def _coordinates(tree: Node) -> set[int]:
    return {part.index for part in nodes(tree) if isinstance(part, Coordinate)}


def _check_letters(parsers: list[Parser]) -> None:
    names = {name for parser in parsers for name in parser.coordinates}
    if names & {"x", "y", "z"} and names - {"x", "y", "z"}:
        raise FormulaError(f"coordinates {', '.join(sorted(names))} do not mix; use x, y, z or x0, x1")


def _check_symmetric(matrix: FormulaMatrix) -> None:
    points = np.random.default_rng(0).normal(size=(_SOME_POINTS, matrix.dim))
    numbers = np.array([value for _, value in matrix.parameters])
    for i in range(matrix.dim):
        for j in range(i):
            lower, upper = matrix.trees[i * matrix.dim + j], matrix.trees[j * matrix.dim + i]
            if lower != upper and not _agree(lower, upper, points, numbers):
                raise FormulaError(
                    f"the diffusion matrix must be symmetric, its entries {i}, {j} and {j}, {i} are "
                    f"{matrix.texts[i][j]!r} and {matrix.texts[j][i]!r}"
                )


def _agree(first: Node, second: Node, points: Array, numbers: Array) -> bool:
    values = [
        node.value if isinstance(node, Number) else evaluate_tree(node, points, numbers) for node in (first, second)
    ]
    return bool(np.allclose(values[0], values[1], rtol=1e-10, atol=1e-12, equal_nan=True))
