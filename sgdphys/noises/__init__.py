"""Gradient noise: diffusion D(x) and the kick that has it. One family a file."""

from sgdphys.noises.base import BlockNoise
from sgdphys.noises.custom import Custom
from sgdphys.noises.formulas import Formula
from sgdphys.noises.gaussian import Diagonal, Full, Isotropic, LowRank
from sgdphys.noises.gradient_covariance import GradientCovariance
from sgdphys.noises.levy import Stable
from sgdphys.noises.minibatch import Minibatch
from sgdphys.noises.proportional import ProportionalToHessian, ProportionalToLoss
from sgdphys.noises.tabulated import Tabulated

__all__ = [
    "BlockNoise", "Custom", "Diagonal", "Formula", "Full", "GradientCovariance", "Isotropic", "LowRank", "Minibatch",
    "ProportionalToHessian", "ProportionalToLoss", "Stable", "Tabulated",
]  # fmt: skip
