"""Gradient noise: diffusion D(x) and the kick that has it. One family a file."""

from sgdphys.noises.base import BlockNoise
from sgdphys.noises.formulas import Formula
from sgdphys.noises.gaussian import Diagonal, Full, Isotropic, LowRank
from sgdphys.noises.levy import Stable
from sgdphys.noises.minibatch import Minibatch

__all__ = ["BlockNoise", "Diagonal", "Formula", "Full", "Isotropic", "LowRank", "Minibatch", "Stable"]
