"""Plain landscapes for the tests of grids: a potential, and nothing of the particle engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Well:
    """x^4/4 - x^2/2 + tilt x, times 1, plus (1 + narrowing exp(-4 x^2)) y^2/2 in two coordinates."""

    dim: int = 1
    tilt: float = 0.0
    narrowing: float = 0.0

    def potential(self, x):
        along = x[:, 0] ** 4 / 4 - x[:, 0] ** 2 / 2 + self.tilt * x[:, 0]
        if self.dim == 1:
            return along
        return along + (1 + self.narrowing * np.exp(-4 * x[:, 0] ** 2)) * x[:, 1] ** 2 / 2


@dataclass(frozen=True)
class Bowl:
    """x' H x / 2."""

    hessian: tuple = ((1.0,),)

    @property
    def dim(self):
        return len(self.hessian)

    def potential(self, x):
        return np.einsum("ni,ij,nj->n", x, np.array(self.hessian), x) / 2
