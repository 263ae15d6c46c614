"""The Mueller-Brown surface, a standard of the search for transition paths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgdphys.landscapes.expression import Expression, FormulaLandscape

__all__ = ["MuellerBrown"]

Array = NDArray[np.float64]
_FORMULA = (
    "-200*exp(-(x - 1)**2 - 10*y**2)"
    " - 100*exp(-x**2 - 10*(y - 0.5)**2)"
    " - 170*exp(-6.5*(x + 0.5)**2 + 11*(x + 0.5)*(y - 1.5) - 6.5*(y - 1.5)**2)"
    " + 15*exp(0.7*(x + 1)**2 + 0.6*(x + 1)*(y - 1) + 0.7*(y - 1)**2)"
)
_MINIMA = (
    (-0.5582236346330243, 1.4417258418046686),
    (0.6234994049308765, 0.028037758528685664),
    (-0.050010822998206056, 0.4666941048719721),
)
_SADDLES = ((-0.8220015587327321, 0.6243128028148713), (0.212486582000662, 0.2929883251073678))


@dataclass(frozen=True)
class MuellerBrown(FormulaLandscape):
    r"""Four exponentials in two dimensions, with three minima and two saddles.

    .. math:: f = \sum_k A_k \exp\left(a_k (x-X_k)^2 + b_k (x-X_k)(y-Y_k) + c_k (y-Y_k)^2\right)

    with the constants of the paper. The minima have f = -146.6995, -108.1667 and -80.7678, in this order; the saddles
    -40.6648 and -72.2489. Multiply by a number for other energies: ``MuellerBrown() * 0.05``.

    References
    ----------
    Mueller & Brown 1979, Theoretica Chimica Acta 53, 75, section 3.
    """

    @property
    def minima(self) -> Array:
        """The three minima, deepest first."""
        return np.array(_MINIMA)

    @property
    def saddles(self) -> Array:
        """The two saddles, highest first; the first joins the first and the third minimum, the other the other two."""
        return np.array(_SADDLES)

    def expression(self) -> Expression:
        """Return the four exponentials."""
        return Expression(_FORMULA)
