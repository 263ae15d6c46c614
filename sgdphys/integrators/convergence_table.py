"""The table of all integrators: equation, noise, orders of convergence."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from typing import Any

from sgdphys.integrators.base import BlockIntegrator

__all__ = ["integrator_classes", "order_table"]

HEAD = ("integrator", "equation", "noise", "strong, D constant", "strong, D(x)", "weak, D constant", "weak, D(x)")


def integrator_classes() -> list[type[BlockIntegrator]]:
    """Return the integrators that ``sgdphys.integrators`` exports, in the order of their names."""
    package = importlib.import_module("sgdphys.integrators")
    exported = (getattr(package, name) for name in sorted(package.__all__, key=str.lower))
    return [part for part in exported if _is_integrator(part)]


def _is_integrator(part: Any) -> bool:
    return inspect.isclass(part) and issubclass(part, BlockIntegrator) and not inspect.isabstract(part)


def order_table() -> str:
    """Return all integrators with their equation, the noise they accept, and strong and weak orders.

    Returns
    -------
    str
        A table in Markdown; a dash where a method claims no order.
    """
    rule = "|---" * len(HEAD) + "|"
    return "\n".join([_line(HEAD), rule, *(_line(_cells(part)) for part in integrator_classes())])


def _cells(part: type[BlockIntegrator]) -> list[str]:
    of = part.orders
    orders = (of.strong_additive, of.strong_multiplicative, of.weak_additive, of.weak_multiplicative)
    numbers = ["-" if order is None else f"{order:g}" for order in orders]
    return [f"`{part.__name__}`", part.equation, part.accepts, *numbers]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
