"""Source text of block kernels from SymPy expressions; see :mod:`sgdphys.kernels.blocks` for what a block kernel is.

Common subexpressions become locals, integer powers repeated squares, and what depends on parameters only moves in front
of the lane loop. Imported only while kernel source is written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import sympy

from sgdphys.errors import FormulaError
from sgdphys.formula import symbolic
from sgdphys.formula.tree import COMPARISONS, Apply, Node

__all__ = ["Writer", "write_field", "write_matrix", "write_region"]

Expression = Any
MAX_ROWS = 8  # with more rows in one loop LLVM does not prove that they lie apart, and does not vectorise
_CALLS = {name: name for name in ("cos", "cosh", "exp", "log", "sin", "sinh", "tan", "tanh")} | {"Absolute": "abs"}


class Writer:
    """Collects assignments: ``before`` the lane loop what parameters alone decide, ``inside`` it the rest."""

    def __init__(self) -> None:
        self.before: list[str] = []
        self.inside: list[str] = []
        self.coordinates: set[int] = set()
        self._names: dict[Any, str] = {}
        self._fixed: set[Expression] = set()

    def define(self, symbol: Expression, value: Expression) -> None:
        """Let ``symbol`` stand for ``value`` in later expressions."""
        self._names[symbol] = self.atom(value)
        if self._is_fixed(value):
            self._fixed.add(symbol)

    def atom(self, expression: Expression) -> str:
        """Return a literal or the name of a local that holds the value; writes the assignments it needs."""
        if expression not in self._names:
            if expression.is_Symbol:
                self._names[expression] = self._leaf(expression)
            elif not expression.free_symbols:
                self._names[expression] = _literal(expression)
            else:
                self._names[expression] = self._assigned(self._text(expression), self._is_fixed(expression))
        return self._names[expression]

    def _is_fixed(self, expression: Expression) -> bool:
        return bool(expression.free_symbols <= self._fixed)

    def _leaf(self, symbol: Expression) -> str:
        name = str(symbol.name)
        if name.startswith("c"):
            self.coordinates.add(int(name[1:]))
        else:
            self._fixed.add(symbol)
            self.before.append(f"{name} = parameters[{name[1:]}]")
        return name

    def _assigned(self, text: str, fixed: bool) -> str:
        name = f"{'h' if fixed else 't'}{len(self.before) + len(self.inside)}"
        (self.before if fixed else self.inside).append(f"{name} = {text}")
        return name

    def _text(self, expression: Expression) -> str:
        kind = type(expression).__name__
        match kind:
            case "Add":
                return " + ".join([self.atom(term) for term in expression.args])
            case "Mul":
                return self._product(expression)
            case "Pow":
                return self._power(*expression.args)
            case "Power":
                return self._general_power(*expression.args)
            case "Sign":
                argument = self.atom(expression.args[0])
                return f"1.0 if {argument} > 0.0 else (-1.0 if {argument} < 0.0 else 0.0)"
        if kind not in _CALLS:
            raise FormulaError(f"the formula is not real-valued everywhere: its derivatives hold {kind}")
        return f"{_CALLS[kind]}({self.atom(expression.args[0])})"

    def _product(self, expression: Expression) -> str:
        above: list[str] = []
        below: list[str] = []
        for factor in expression.args:
            inverse = factor.is_Pow and factor.exp.is_Number and factor.exp.is_negative and factor.base.free_symbols
            (below if inverse else above).append(self.atom(1 / factor if inverse else factor))
        numerator = " * ".join(above) or "1.0"
        return f"{numerator} / ({' * '.join(below)})" if below else numerator

    def _power(self, base: Expression, exponent: Expression) -> str:
        if exponent.is_Number and exponent < 0:
            return f"1.0 / {self.atom(base ** (-exponent))}"
        twice = 2 * exponent
        if not twice.is_Integer:
            return f"exp({self.atom(exponent)} * {self.atom(sympy.log(base))})"
        if not exponent.is_Integer:
            root = f"np.sqrt({self.atom(base)})"
            return root if twice == 1 else f"{self.atom(sympy.sqrt(base))} * {self.atom(base ** (twice // 2))}"
        half = self.atom(base ** (exponent // 2))
        return f"{half} * {half}" if exponent % 2 == 0 else f"{half} * {half} * {self.atom(base)}"

    def _general_power(self, base: Expression, exponent: Expression) -> str:
        b, e = self.atom(base), self.atom(exponent)
        magnitude = f"exp({e} * {self.atom(sympy.log(symbolic.Absolute(base)))})"
        if not self._is_fixed(exponent):
            return f"{magnitude} if {b} >= 0.0 else np.nan"
        sign = self._assigned(f"1.0 if {e} % 2.0 == 0.0 else (-1.0 if {e} % 2.0 == 1.0 else np.nan)", True)
        at_zero = self._assigned(f"1.0 if {e} == 0.0 else (0.0 if {e} > 0.0 else np.inf)", True)
        value = self._assigned(magnitude, self._is_fixed(base))
        return f"{at_zero} if {b} == 0.0 else ({sign} * {value} if {b} < 0.0 else {value})"


def _literal(expression: Expression) -> str:
    try:
        value = float(sympy.N(expression, 20))
    except TypeError:
        value = math.nan
    if not math.isfinite(value):
        raise FormulaError(f"a constant of the formula's derivatives is no finite real number: {str(expression)[:60]}")
    return repr(value) if value >= 0 else f"({value!r})"


def write_field(name: str, tree: Node, dim: int) -> str:
    """Write the kernel of a formula.

    Parameters
    ----------
    name
        ``"potential"``, ``"gradient"`` or ``"hessian"``: which field, and the name of the function.
    tree
        The formula.
    dim
        Number of coordinates.

    Returns
    -------
    str
        Source of ``def name(x, parameters, factor, out)``.
    """
    derivatives = {"gradient": symbolic.gradient, "hessian": symbolic.hessian}
    return _written(name, derivatives[name](tree, dim) if name in derivatives else [symbolic.to_sympy(tree)])


def write_matrix(name: str, trees: Sequence[Node], kind: str, dim: int) -> str:
    """Write the kernel of a matrix of formulas, or of its divergence.

    Parameters
    ----------
    name
        ``"diffusion"`` (a row for each entry) or ``"divergence"`` (row i: the sum of d_j D_ij over j).
    trees
        The entries: one, the diagonal, or all row by row.
    kind
        ``"scalar"``, ``"diagonal"`` or ``"full"``.
    dim
        Number of coordinates.

    Returns
    -------
    str
        Source of ``def name(x, parameters, factor, out)``.
    """
    entries = [symbolic.to_sympy(tree) for tree in trees]
    return _written(name, entries if name == "diffusion" else symbolic.divergence(entries, kind, dim))


def _written(name: str, expressions: Sequence[Expression]) -> str:
    lines = [f"def {name}(x, parameters, factor, out):"]
    for rows in _groups({row: value for row, value in enumerate(expressions) if value != 0}):
        shared, reduced = sympy.cse(list(rows.values()), symbols=sympy.numbered_symbols("s"), order="canonical")
        writer = Writer()
        for symbol, value in shared:
            writer.define(symbol, value)
        lines += _loop(writer, {row: writer.atom(value) for row, value in zip(rows, reduced, strict=True)})
    return "\n".join([*lines, ""])


def _groups(rows: dict[int, Expression]) -> list[dict[int, Expression]]:
    """Divide rows among loops that each touch at most ``MAX_ROWS`` rows; one loop if a row alone needs more."""
    reads = {row: {c for c in value.free_symbols if c.name.startswith("c")} for row, value in rows.items()}
    if not rows or max(map(len, reads.values())) >= MAX_ROWS:
        return [rows]
    groups: list[dict[int, Expression]] = [{}]
    used: set[Expression] = set()
    for row, value in rows.items():
        if len(used | reads[row]) + len(groups[-1]) >= MAX_ROWS:
            groups.append({})
            used = set()
        groups[-1][row] = value
        used |= reads[row]
    return groups


def write_region(name: str, tree: Node) -> str:
    """Write the kernel of a region: 1 inside, 0 outside, in one row.

    Parameters
    ----------
    name
        Name of the function.
    tree
        The region.

    Returns
    -------
    str
        Source of ``def name(x, parameters, factor, out)``.
    """
    writer = Writer()
    condition = _condition(tree, writer)
    lines = [f"def {name}(x, parameters, factor, out):", *_loop(writer, {0: f"(1.0 if {condition} else 0.0)"})]
    return "\n".join([*lines, ""])


def _condition(node: Node, writer: Writer) -> str:
    assert isinstance(node, Apply)
    if node.operator in COMPARISONS:
        left, right = (writer.atom(symbolic.to_sympy(side)) for side in node.arguments)
        return f"({left} {node.operator} {right})"
    joint = " & " if node.operator == "and" else " | "
    return f"({joint.join(_condition(part, writer) for part in node.arguments)})"


def _loop(writer: Writer, rows: dict[int, str]) -> list[str]:
    coordinates = sorted(writer.coordinates)
    views = [f"x{i} = x[{i}]" for i in coordinates] + [f"row{i} = out[{i}]" for i in rows]
    body = [f"c{i} = x{i}[lane]" for i in coordinates] + writer.inside
    body += [f"row{i}[lane] += factor * {value}" for i, value in rows.items()] or ["pass"]
    lines = [*writer.before, *views, "for lane in range(x.shape[1]):", *("    " + line for line in body)]
    return ["    " + line for line in lines]
