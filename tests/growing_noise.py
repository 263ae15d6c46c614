"""A diagonal noise that grows with x, for the tests: D_ii = a + c x_i^2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sgdphys.kernels import BlockTerm, FieldKernel, KickKernel
from sgdphys.noises import BlockNoise


def growing_kick(normals, x, parameters, factor, work, base, out):
    for row in range(out.shape[0]):
        for lane in range(out.shape[1]):
            root = np.sqrt(parameters[0] + parameters[1] * x[row, lane] * x[row, lane])
            out[row, lane] = base[row, lane] + factor * root * normals[row, lane]


def growing_divergence(x, parameters, factor, out):
    slope = 2.0 * factor * parameters[1]
    for row in range(out.shape[0]):
        for lane in range(out.shape[1]):
            out[row, lane] += slope * x[row, lane]


KICK = KickKernel(growing_kick)
DIVERGENCE = FieldKernel(growing_divergence)


@dataclass(frozen=True)
class Growing(BlockNoise):
    """D_ii = a + c x_i^2; with a = 0 in a flat landscape that is geometric Brownian motion."""

    a: float = 1.0
    c: float = 1.0
    interpretation: str = "ito"
    diagonal: bool = True
    separable: bool = True
    additive = False

    def diffusion(self, x):
        return (self.a + self.c * x**2)[:, :, np.newaxis] * np.eye(x.shape[1])

    def channels(self, dim):
        return dim

    def kick_term(self, dim):
        return BlockTerm(KICK, np.array([self.a, self.c]))

    def divergence_terms(self, dim):
        return (BlockTerm(DIVERGENCE, np.array([self.a, self.c])),)

    def configuration(self):
        return {"noise": "Growing", "a": self.a, "c": self.c}

    def root(self, x):
        """Return sqrt(D_ii), shape of x."""
        return np.sqrt(self.a + self.c * x**2)

    def slope(self, x):
        """Return d_i D_ii, shape of x."""
        return 2 * self.c * x
