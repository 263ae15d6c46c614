"""A force field that circulates and has a known stationary state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.checks import finite_number
from sgdphys.landscapes.circulating_fields import Field
from sgdphys.landscapes.expression import Expression

__all__ = ["ChaudhariSoatto"]

Array = NDArray[np.float64]
_STRENGTH = "rotation*exp((1 - 2*x**2 + 2*y**2 - 2*x**2*y**2 - y**4)/4)"


@dataclass(frozen=True, init=False, repr=False)
class ChaudhariSoatto(Field):
    r"""Two wells with a circulation on top that leaves the stationary state as it is, at T = 1 and D = 1.

    .. math:: \Phi = \tfrac14 (x^2 - 1)^2 + \tfrac12 y^2, \qquad
        c = \lambda\, e^{\Phi - (x^2 + y^2)^2/4} \begin{pmatrix} -y \\ x \end{pmatrix}

    The exponent is at most 1/2 and written so that it does not overflow. As :math:`c\,e^{-\Phi}` has no divergence,
    :math:`p = e^{-\Phi}/Z` for every :math:`\lambda` at T = 1 (at no other T unless :math:`\lambda = 0`), with
    Z = 7.623468, :math:`E x^2` = 1.041797, :math:`E y^2` = 1. The stationary state circulates at the area
    0.412095 :math:`\lambda` a time and produces entropy at the rate 0.681382 :math:`\lambda^2`. c itself does have a
    divergence.

    The modes of p stay at (+-1, 0), but the drift does not vanish there. Its zeros move along curves into the origin,
    where they end at the :attr:`critical_rotation`; above that only the origin is left, and the noise-free flow spirals
    into it algebraically, :math:`r \sim t^{-1/2}`. There is a circulation, but no limit cycle.

    Parameters
    ----------
    rotation
        Strength :math:`\lambda` of the circulation; the sign is its sense.

    Raises
    ------
    ValueError
        The rotation is not finite.

    References
    ----------
    Chaudhari & Soatto 2018, ICLR (arXiv 1710.11029), example 19, after Noh & Lee 2015.
    """

    rotation: float

    def __init__(self, rotation: float = 1.5) -> None:
        strength = finite_number("rotation", rotation)
        circulation = [f"-y*{_STRENGTH}", f"x*{_STRENGTH}"]
        super().__init__(Expression("(x**2 - 1)**2/4 + y**2/2"), circulation, rotation=strength)
        object.__setattr__(self, "rotation", strength)

    def __eq__(self, other: object) -> bool:
        return self.rotation == other.rotation if isinstance(other, ChaudhariSoatto) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.rotation))

    def __repr__(self) -> str:
        return f"ChaudhariSoatto(rotation={self.rotation:g})"

    @property
    def minima(self) -> Array:
        """The two minima of the potential; the drift does not vanish there."""
        return np.array([[-1.0, 0.0], [1.0, 0.0]])

    @property
    def saddles(self) -> Array:
        """The saddle of the potential, the origin."""
        return np.zeros((1, 2))

    @property
    def critical_rotation(self) -> float:
        r"""Rotation above which the origin is the only zero of the drift, :math:`e^{-1/4}`."""
        return math.exp(-0.25)

    @property
    def drift_zeros(self) -> Array:
        r"""Zeros of the drift, shape (zero, coordinate): the origin, then below the critical rotation two others.

        With :math:`s = \lambda e^{\Phi - r^4/4}` they are at :math:`\pm\sqrt{1 - s^2}\,(1, s)`, where s solves that
        equation on this curve.
        """
        from scipy.optimize import brentq

        strength = abs(self.rotation)
        if strength >= self.critical_rotation:
            return np.zeros((1, 2))
        s = math.copysign(brentq(lambda s: s - strength * math.exp(_exponent(s)), 0.0, 1.0, xtol=1e-16), self.rotation)
        zero = math.sqrt(1 - s * s) * np.array([1.0, s])
        return np.array([np.zeros(2), zero, -zero])

    def configuration(self) -> dict[str, Any]:
        """Return the class name and the rotation."""
        return {"landscape": "ChaudhariSoatto", "rotation": self.rotation}


def _exponent(s: float) -> float:
    """Return (1 - 2x^2 + 2y^2 - 2x^2y^2 - y^4)/4 at x^2 = 1 - s^2, y^2 = s^2 (1 - s^2)."""
    x2, y2 = 1 - s * s, s * s * (1 - s * s)
    return (1 - 2 * x2 + 2 * y2 - 2 * x2 * y2 - y2 * y2) / 4
