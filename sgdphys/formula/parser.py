"""From text to a syntax tree: what formulas and regions may say. Everything else is refused; nothing is evaluated."""

from __future__ import annotations

import ast
import difflib
import itertools
import keyword
import re
import warnings
from collections.abc import Sequence

from sgdphys.errors import FormulaError
from sgdphys.formula.tree import CONSTANTS, FUNCTIONS, Apply, Coordinate, Node, Number, Parameter, apply

__all__ = ["MAX_COORDINATES", "MAX_DEPTH", "MAX_EXPONENT", "MAX_NODES", "MAX_TEXT", "Parser", "check_parameter_name"]

MAX_TEXT = 4096
MAX_NODES = 1000
MAX_DEPTH = 60
MAX_EXPONENT = 100
MAX_COORDINATES = 100

_LETTERS = ("x", "y", "z")
_NUMBERED = re.compile(r"x(0|[1-9][0-9]*)")
_BINARY: dict[type[ast.operator], str] = {ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_COMPARE: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "and": "or", "or": "and"}
_SPOKEN: dict[type[ast.AST], str] = {
    ast.Attribute: "attributes (a dot behind a name)",
    ast.Subscript: "subscripts in brackets",
    ast.Lambda: "lambda",
    ast.NamedExpr: "assignments (:=)",
    ast.IfExp: "if ... else",
    ast.BitXor: "^ (a power is written **)",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.MatMult: "@",
    ast.Invert: "~",
    ast.JoinedStr: "strings",
    ast.Compare: "comparisons",
    ast.BoolOp: "and / or",
    ast.Not: "not",
    ast.Eq: "== (use < or >)",
    ast.NotEq: "!= (use < or >)",
    ast.Tuple: "commas outside a function",
    ast.Starred: "starred arguments",
} | dict.fromkeys((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), "comprehensions")


def check_parameter_name(name: str) -> None:
    """Refuse a parameter name that a formula could not say or would take for something else.

    Raises
    ------
    FormulaError
        The name is no identifier, or belongs to a coordinate, function or constant.
    """
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise FormulaError(f"parameter names must be identifiers, got {name!r}")
    if name in FUNCTIONS or name in CONSTANTS or name in _LETTERS or _NUMBERED.fullmatch(name):
        raise FormulaError(f"parameter {name!r} has the name of a coordinate, function or constant; choose another")


class Parser:
    """Reads one text; afterwards ``coordinates`` and ``used`` hold the coordinate and parameter names that were met.

    Parameters
    ----------
    text
        The formula or region.
    parameters
        Names of the parameters that it may use, in the order of their values.
    """

    def __init__(self, text: str, parameters: Sequence[str] = ()) -> None:
        for name in parameters:
            check_parameter_name(name)
        self.text = text
        self.parameters = tuple(parameters)
        self.coordinates: dict[str, int] = {}
        self.used: set[str] = set()
        self._count = 0

    def formula(self) -> Node:
        """Return the tree of a real-valued formula; raises FormulaError for anything else."""
        return self._number(self._parsed(), 0)

    def region(self) -> Node:
        """Return the tree of comparisons joined by and, or, not; raises FormulaError for anything else."""
        return self._truth(self._parsed(), False, 0)

    def _parsed(self) -> ast.expr:
        text = self.text
        if not isinstance(text, str):
            raise FormulaError(f"a formula is text, got {type(text).__name__}")
        if not text.strip():
            raise FormulaError("the formula is empty")
        if len(text) > MAX_TEXT:
            raise FormulaError(f"the formula has {len(text)} characters; at most {MAX_TEXT} are read")
        if "\0" in text:
            raise FormulaError("the formula holds a NUL character")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return ast.parse(text.strip(), mode="eval").body
        except (RecursionError, MemoryError):
            raise FormulaError("the formula is nested too deeply") from None
        except (SyntaxError, ValueError, Warning) as error:
            reason = str(getattr(error, "msg", error)).splitlines()[0]
            raise FormulaError(f"cannot read the formula {_short(text)}: {reason}") from None

    def _enter(self, depth: int) -> int:
        self._count += 1
        if self._count > MAX_NODES:
            raise FormulaError(f"the formula has more than {MAX_NODES} parts")
        if depth > MAX_DEPTH:
            raise FormulaError(f"the formula is nested more than {MAX_DEPTH} levels deep")
        return depth + 1

    def _number(self, node: ast.expr, depth: int) -> Node:
        depth = self._enter(depth)
        match node:
            case ast.Constant(value=value):
                return self._constant(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return apply("neg", self._number(operand, depth))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._number(operand, depth)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self._sum(node, depth)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _checked_power(apply(_BINARY[type(op)], self._number(left, depth), self._number(right, depth)))
            case ast.Call():
                return self._call(node, depth)
        raise self._refusal(getattr(node, "op", node) if isinstance(node, (ast.BinOp, ast.UnaryOp)) else node)

    def _sum(self, node: ast.expr, depth: int) -> Node:
        terms: list[Node] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            term = self._number(node.right, depth)
            terms.append(term if isinstance(node.op, ast.Add) else apply("neg", term))
            node = node.left
        return apply("+", self._number(node, depth), *reversed(terms))

    def _call(self, node: ast.Call, depth: int) -> Node:
        if not isinstance(node.func, ast.Name):
            raise self._refusal(node.func)
        name = node.func.id
        if name not in FUNCTIONS:
            if name in self._known():
                raise FormulaError(f"{name!r} is not a function; a product is written {name}*(...)")
            known = ", ".join(FUNCTIONS)
            raise FormulaError(f"unknown function {_short(name)}{_nearest(name, FUNCTIONS)}; known are {known}")
        if node.keywords or len(node.args) != 1:
            raise FormulaError(f"{name} takes one argument without a name, got {_short(self.text)}")
        return apply(name, self._number(node.args[0], depth))

    def _constant(self, value: object) -> Node:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                return apply("+", Number(float(value)))
            except OverflowError:
                raise FormulaError("a number of the formula is too large for float64") from None
        kind = {str: "strings", bytes: "strings", complex: "complex numbers"}.get(type(value), _short(str(value)))
        raise FormulaError(f"a formula may not hold {kind}; it knows real numbers, names and functions")

    def _name(self, name: str) -> Node:
        if name in CONSTANTS:
            return Number(CONSTANTS[name])
        if name in self.parameters:
            self.used.add(name)
            return Parameter(self.parameters.index(name))
        if name in _LETTERS:
            return self._coordinate(name, _LETTERS.index(name))
        if _NUMBERED.fullmatch(name):
            if len(name) > 6 or int(name[1:]) >= MAX_COORDINATES:
                raise FormulaError(f"coordinate {_short(name)} is beyond x{MAX_COORDINATES - 1}; use Custom instead")
            return self._coordinate(name, int(name[1:]))
        if name in FUNCTIONS:
            raise FormulaError(f"function {name!r} needs its argument in parentheses")
        hint = "" if name.startswith("_") or len(name) > 30 else f"; a parameter is given as {name}=<number>"
        raise FormulaError(f"unknown name {_short(name)}{_nearest(name, self._known())}{hint}")

    def _coordinate(self, name: str, index: int) -> Node:
        self.coordinates[name] = index
        if len({known in _LETTERS for known in self.coordinates}) > 1:
            raise FormulaError(f"coordinates {', '.join(sorted(self.coordinates))} do not mix; use x, y, z or x0, x1")
        return Coordinate(index)

    def _known(self) -> list[str]:
        return [*self.parameters, *_LETTERS, *CONSTANTS, *FUNCTIONS]

    def _truth(self, node: ast.expr, negated: bool, depth: int) -> Node:
        depth = self._enter(depth)
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._truth(operand, not negated, depth)
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) else "or"
                parts = tuple(self._truth(value, negated, depth) for value in values)
                return Apply(_OPPOSITE[word] if negated else word, parts)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self._comparison([left, *comparators], ops, negated, depth)
        raise FormulaError(f"a region is made of comparisons such as x > 0, got {_short(self.text)}")

    def _comparison(self, sides: list[ast.expr], ops: list[ast.cmpop], negated: bool, depth: int) -> Node:
        for op in ops:
            if type(op) not in _COMPARE:
                raise self._refusal(op)
        numbers = [self._number(side, depth) for side in sides]
        words = [_COMPARE[type(op)] for op in ops]
        parts = [
            Apply(_OPPOSITE[word] if negated else word, pair)
            for word, pair in zip(words, itertools.pairwise(numbers), strict=True)
        ]
        return parts[0] if len(parts) == 1 else Apply("or" if negated else "and", tuple(parts))

    def _refusal(self, node: ast.AST) -> FormulaError:
        what = _SPOKEN.get(type(node), type(node).__name__)
        return FormulaError(f"a formula may not hold {what}: {_short(self.text)}")


def _checked_power(node: Node) -> Node:
    if _power_height(node) > MAX_EXPONENT:
        raise FormulaError(f"an exponent, or the product of nested exponents, is beyond {MAX_EXPONENT}")
    return node


def _power_height(node: Node) -> float:
    if not isinstance(node, Apply):
        return 1.0
    if node.operator == "**" and isinstance(node.arguments[1], Number):
        return _power_height(node.arguments[0]) * max(1.0, abs(node.arguments[1].value))
    return max(_power_height(argument) for argument in node.arguments)


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name[:40], known, n=1, cutoff=0.6)
    return f", did you mean {close[0]!r}?" if close else ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
