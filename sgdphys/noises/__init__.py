"""Gradient noise: diffusion D(x) and the kick that has it. One family a file."""

from sgdphys.noises.gaussian import Diagonal, Full, Isotropic, LowRank

__all__ = ["Diagonal", "Full", "Isotropic", "LowRank"]
