"""Orders of convergence fitted to errors at several time steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["OrderFit", "fit_order"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OrderFit:
    """The slope of log error against log dt.

    Parameters
    ----------
    order
        Fitted order.
    standard_error
        Its standard error: over groups of paths, or 0 where the errors are free of chance.
    dts, errors
        Time steps and errors.
    """

    order: float
    standard_error: float
    dts: tuple[float, ...]
    errors: tuple[float, ...]

    def __str__(self) -> str:
        errors = ", ".join(f"{error:.3g}" for error in self.errors)
        return f"order {self.order:.3f} +- {self.standard_error:.3f} from errors {errors}"


def fit_order(dts: Sequence[float], errors: Array) -> OrderFit:
    """Fit an order.

    Parameters
    ----------
    dts
        Time steps, shape (dt,).
    errors
        Root mean squares of groups of paths, shape (dt, group); or errors without chance, shape (dt, 1).

    Returns
    -------
    OrderFit
        From the root mean square over all groups; the standard error from the fits of single groups.
    """
    groups = errors.shape[1]
    slopes = np.polyfit(np.log(dts), np.log(errors), 1)[0]
    whole = np.sqrt(np.mean(errors**2, axis=1))
    order = np.polyfit(np.log(dts), np.log(whole), 1)[0]
    spread = float(np.std(slopes, ddof=1) / np.sqrt(groups)) if groups > 1 else 0.0
    return OrderFit(float(order), spread, tuple(map(float, dts)), tuple(map(float, whole)))
