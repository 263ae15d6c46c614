"""The Euler-Maruyama scheme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.steps import euler_maruyama_step
from sgdphys.sgd import SGD

__all__ = ["EulerMaruyama"]


@dataclass(frozen=True)
class EulerMaruyama:
    r"""Euler-Maruyama for :math:`dx = -\nabla f\,dt + \sqrt{2 T D}\,dW` (Ito).

    .. math:: x \leftarrow x - \nabla f(x)\,dt + \sqrt{2 T\,dt}\,B\xi,\qquad B B^\mathsf{T} = D.

    Strong order 1/2 (1 for constant D), weak order 1. On a quadratic of curvature h its stationary variance is T/(h
    (1 - h dt/2)), not T/h. With ``sgd=`` it integrates the equation of SGD at dt = lr and T = sampling_factor *
    lr/(2B); momentum belongs to ``StochasticGradient``.

    References
    ----------
    Maruyama 1955, Rend. Circ. Mat. Palermo 4, 48; Kloeden & Platen 1992, section 10.2.
    """

    strong_order: ClassVar[float] = 0.5
    weak_order: ClassVar[float] = 1.0

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return euler_maruyama_step

    def rows(self, dim: int) -> int:
        """Return the rows of the state: the coordinates alone."""
        return dim

    def settings(self, dt: float, temperature: float, sgd: SGD | None) -> NDArray[np.float64]:
        """Return the numbers the step needs: dt and sqrt(2 T dt).

        Returns
        -------
        NDArray
            dt and sqrt(2 T dt).

        Raises
        ------
        ValueError
            The SGD has momentum or weight decay, which this scheme does not know.
        """
        if sgd is not None and sgd.momentum:
            raise ValueError(
                f"EulerMaruyama knows no momentum, got {sgd.momentum}; use integrator=None for the SGD map itself"
            )
        if sgd is not None and sgd.weight_decay:
            raise ValueError(
                "EulerMaruyama takes weight decay as part of the landscape; "
                "add (wd/2)|x|^2 to it, or use integrator=None"
            )
        return np.array([dt, np.sqrt(2 * temperature * dt)])
