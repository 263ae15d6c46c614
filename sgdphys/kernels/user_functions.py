"""Block kernels of users' functions of one point, compiled in the process."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from sgdphys import provenance
from sgdphys.kernels.blocks import FieldKernel
from sgdphys.kernels.compile import load_module

__all__ = [
    "describe_failure", "field_of", "full_name", "plain_function", "refuse_wrong_index", "slopes_of",
    "source_hash",
]  # fmt: skip

Function = Callable[..., Any]
DIFFERENCE_STEP = 6e-6  # cube root of the rounding unit, the best step of a central difference


def plain_function(function: Function) -> Function:
    """Return the Python function behind an njit function, or the function itself; ValueError for other callables."""
    plain: Function = getattr(function, "py_func", function)
    if not inspect.isfunction(plain):
        raise ValueError(f"numba compiles functions of Python alone, got {function!r:.60}; wrap it in a def or lambda")
    return plain


def full_name(function: Function) -> str:
    """Return module and qualified name."""
    plain = plain_function(function)
    return f"{plain.__module__}.{plain.__qualname__}"


def source_hash(*functions: Function) -> str | None:
    """Return a hash of the Python functions behind."""
    return provenance.source_hash(*map(plain_function, functions))


def refuse_wrong_index(function: Function, *arguments: Any) -> None:
    """Run the Python function once: compiled code checks no index and would read or write foreign memory.

    Raises
    ------
    ValueError
        It uses an index that one of its arguments does not have.
    """
    try:
        plain_function(function)(*arguments)
    except IndexError as error:
        sizes = ", ".join(f"{len(argument)}" for argument in arguments if np.ndim(argument))
        raise ValueError(f"{full_name(function)}: {error}; its arrays have the lengths {sizes}") from None
    except Exception:  # what only compiled code can do is not for Python to judge
        return


def describe_failure(error: Exception) -> str:
    """Return the telling line of numba's message."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith("Failed in")]
    detail = next((f" {line.removeprefix('>>> ')}" for line in telling if line.startswith(">>>")), "")
    return f"{telling[0] if telling else type(error).__name__}{detail} (functions that it calls must be njit functions)"


@functools.lru_cache(maxsize=512)
def field_of(function: Function, dim: int, rows: int, separate: bool) -> FieldKernel:
    """Return the kernel of a function of one point.

    Parameters
    ----------
    function
        Plain or njit; of ``dim`` coordinates as ``separate`` arguments, or of one array (coordinate,).
    dim
        Number of coordinates.
    rows
        1 where it returns a number, else the length of what it returns.
    separate
        How the coordinates are passed.

    Returns
    -------
    FieldKernel
        The kernel, with ``rows`` rows; compiled when its address is asked for.
    """
    call = f"function({_arguments(dim, separate)})"
    if rows == 1:
        add = [f"out[0, lane] += factor * {call}"]
    elif separate:  # a tuple, whose entries may differ in type
        add = [f"value = {call}", *(f"out[{i}, lane] += factor * value[{i}]" for i in range(rows))]
    else:
        add = [f"value = {call}", f"for i in range({rows}):", "    out[i, lane] += factor * value[i]"]
    return _bound(function, "field", dim, separate, add)


@functools.lru_cache(maxsize=512)
def slopes_of(function: Function, dim: int, rows: int, separate: bool) -> FieldKernel:
    """Return the kernel of central differences: row i is the derivative of value i (of 1 row: the value) by x_i.

    Returns
    -------
    FieldKernel
        The kernel, with ``dim`` rows; arguments as those of :func:`field_of`.
    """
    add = []
    for i in range(dim):
        entry = "" if rows == 1 else f"[{i}]"
        here = f"x[{i}, lane]"
        add.append(f"step = {DIFFERENCE_STEP!r} * (1.0 + abs({here}))")
        for name, sign in (("above", "+"), ("below", "-")):
            moved = f"{here} {sign} step"
            if separate:
                add.append(f"{name} = function({_arguments(dim, True, {i: moved})}){entry}")
            else:
                add += [f"point[{i}] = {moved}", f"{name} = function(point){entry}"]
        add += [] if separate else [f"point[{i}] = {here}"]
        add.append(f"out[{i}, lane] += factor * (above - below) / (2.0 * step)")
    return _bound(function, "slopes", dim, separate, add)


def _arguments(dim: int, separate: bool, moved: dict[int, str] | None = None) -> str:
    names = {i: f"x[{i}, lane]" for i in range(dim)} | (moved or {}) if separate else {0: "point"}
    return ", ".join(names[i] for i in sorted(names))


def _bound(function: Function, name: str, dim: int, separate: bool, add: list[str]) -> FieldKernel:
    """Write a module whose ``bind`` makes a block kernel of a function, and bind it."""
    fill = [] if separate else [f"for i in range({dim}):", "    point[i] = x[i, lane]"]
    body = "\n".join("            " + line for line in fill + add)
    prepare = "" if separate else f"        point = np.empty({dim})\n"
    text = (
        "def bind(function):\n"
        "    function = function if hasattr(function, 'py_func') else njit(error_model='numpy')(function)\n\n"
        f"    def {name}(x, parameters, factor, out):\n{prepare}"
        f"        for lane in range(x.shape[1]):\n{body}\n\n    return {name}\n"
    )
    return FieldKernel.in_process(load_module(text, lambda: text).bind(function))
