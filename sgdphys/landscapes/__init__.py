"""Landscapes: losses and potential energies f(x) with gradient, Hessian and block kernels. One family a file."""

from sgdphys.landscapes.algebra import Linear, Scaled, Sum, Tilted
from sgdphys.landscapes.base import BlockLandscape
from sgdphys.landscapes.catalogue import NAMES, named, restore
from sgdphys.landscapes.chaudhari_soatto import ChaudhariSoatto
from sgdphys.landscapes.circulating_fields import Field
from sgdphys.landscapes.custom import Custom
from sgdphys.landscapes.custom_finite_sums import FiniteSum
from sgdphys.landscapes.driven import Driven
from sgdphys.landscapes.expression import Expression, FormulaLandscape
from sgdphys.landscapes.factor_models import DiagonalLinearNetwork, MatrixFactorisation
from sgdphys.landscapes.finite_sums import FiniteSumLandscape
from sgdphys.landscapes.flat_sharp import FlatSharp
from sgdphys.landscapes.linear_models import LeastSquares, LogisticRegression, PhaseRetrieval
from sgdphys.landscapes.mueller_brown import MuellerBrown
from sgdphys.landscapes.quadratic import Quadratic
from sgdphys.landscapes.tabulated import Tabulated
from sgdphys.landscapes.two_layer_networks import TwoLayerNetwork
from sgdphys.landscapes.wells import DoubleWell

__all__ = [
    "NAMES", "BlockLandscape", "ChaudhariSoatto", "Custom", "DiagonalLinearNetwork", "DoubleWell", "Driven",
    "Expression", "Field", "FiniteSum", "FiniteSumLandscape", "FlatSharp", "FormulaLandscape", "LeastSquares",
    "Linear", "LogisticRegression", "MatrixFactorisation", "MuellerBrown", "PhaseRetrieval", "Quadratic", "Scaled",
    "Sum", "Tabulated", "Tilted", "TwoLayerNetwork", "named", "restore",
]  # fmt: skip
