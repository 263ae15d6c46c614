"""A landscape that changes in time by a protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.landscapes.algebra import Scaled, Sum
from sgdphys.landscapes.base import BlockLandscape, as_points
from sgdphys.protocols import Landscape, Term
from sgdphys.schedules import as_schedule

__all__ = ["Driven"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Driven(BlockLandscape):
    """The landscape f(x, t) = base(x) + s(t) drive(x).

    Euler-Maruyama and the map of SGD feel s at the beginning of each step, schemes of several stages also that of its
    end. ``potential``, ``gradient`` and ``hessian`` are those at time 0;
    ``at(time)`` is the landscape frozen at any other, for grids and analyses.

    Parameters
    ----------
    base, drive
        Landscapes of equal dimension.
    protocol
        s: a number, an object of :mod:`sgdphys.schedules`, or a function of time.

    Raises
    ------
    ValueError
        The dimensions differ, something is no landscape, or the protocol no function of time.
    """

    base: Landscape
    drive: Landscape
    protocol: Any

    def __post_init__(self) -> None:
        Sum(self.base, self.drive)
        object.__setattr__(self, "protocol", as_schedule("protocol", self.protocol, sign="any"))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.base.dim

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return tuple(getattr(self.base, "coordinate_names", super().coordinate_names))

    def at(self, time: float) -> Sum:
        """Return the landscape frozen at a time."""
        return Sum(self.base, Scaled(self.drive, float(self.protocol(np.array([time]))[0])))

    def potential_terms(self) -> tuple[Term, ...]:
        """Return the block terms of the potential at time 0."""
        return self.at(0.0).potential_terms()

    def gradient_terms(self) -> tuple[Term, ...]:
        """Return the block terms of the base's gradient; the engine adds s times :meth:`drive_terms`."""
        return self.base.gradient_terms()

    def drive_terms(self) -> tuple[Term, ...]:
        """Return the block terms of the drive's gradient."""
        return self.drive.gradient_terms()

    def gradient(self, x: Array) -> Array:
        """Return the gradient at time 0 at ``x`` (particle, coordinate), same shape, in loss/x."""
        return self.at(0.0).gradient(x)

    def hessian(self, x: Array) -> Array:
        """Return the second derivatives at time 0, shape (particle, coordinate, coordinate)."""
        return self.at(0.0).hessian(as_points(x, self.dim))

    def __add__(self, other: object) -> Driven:  # type: ignore[override]
        return (
            Driven(Sum(self.base, other), self.drive, self.protocol) if isinstance(other, Landscape) else NotImplemented
        )

    def __mul__(self, factor: object) -> Driven:  # type: ignore[override]
        if not isinstance(factor, (int, float)):
            return NotImplemented
        return Driven(Scaled(self.base, float(factor)), Scaled(self.drive, float(factor)), self.protocol)

    __rmul__ = __mul__  # type: ignore[assignment]

    def variables(self) -> dict[str, tuple[tuple[str, ...], Array]]:
        """Return the arrays of base and drive that belong into a Dataset; of equal names the base's."""
        return Sum(self.base, self.drive).variables()

    def configuration(self) -> dict[str, Any]:
        """Return the class name and the configurations of the parts."""
        parts = Sum(self.base, self.drive).configuration()["parts"]
        return {"landscape": "Driven", "base": parts[0], "drive": parts[1], "protocol": self.protocol.configuration()}
