"""Every noise with a landscape that it fits, by name: a new noise gets all its tests by a line here."""

import math

import numpy as np

import sgdphys as sp
from sgdphys import noises

GENERATOR = np.random.default_rng(11)
FACTOR = GENERATOR.normal(size=(5, 2))
MATRIX = np.cov(GENERATOR.normal(size=(5, 40)))
ONE = sp.landscapes.Expression("x**4/4 - x**2/2 + 1")
TWO = sp.landscapes.Expression("x**4/4 - x**2/2 + 2 + y**2*(1 + x**2)/2 + x*y/2")
THREE = sp.landscapes.Expression("x**2 + sin(x*y) + z**4/4 + x*z/2 + y**2 + 3")
FIVE = sp.landscapes.Quadratic(MATRIX)
DATA = GENERATOR.normal(size=(12, 3)), GENERATOR.normal(size=12)
LEAST_SQUARES = sp.landscapes.LeastSquares(*DATA)
COVARIANCE = [[2.0, 0.5], [0.5, 1.0]]
TENSOR = [["1 + x**2", "x*y/2", "0"], ["x*y/2", "2 + y**2", "a*x"], [0, "a*x", "1 + x**2"]]
KNOTS = [np.linspace(-1.5, 2, 8), np.linspace(-2, 1, 6), np.linspace(-1, 1, 5)]  # points lie beyond them too
TABLE = np.exp(GENERATOR.normal(size=(8, 6, 2)))
ROOTS = GENERATOR.normal(size=(8, 6, 5, 3, 2))  # of singular matrices


def scalar(x):
    return 1 + x * x


def diagonal(x, y):
    return 1 + x * x, 2 + math.cos(x * y)


def of_array(x):
    return 1 + x[0] ** 2 + x[1] ** 2 * (2 + math.sin(x[2]))


NOISES = {
    "isotropic": (noises.Isotropic(2.5), TWO),
    "none": (noises.Isotropic(0.0), ONE),
    "diagonal": (noises.Diagonal([2.0, 0.0, 0.5]), THREE),
    "full": (noises.Full(MATRIX), FIVE),
    "full singular": (noises.Full(FACTOR @ FACTOR.T), FIVE),
    "low rank": (noises.LowRank(FACTOR), FIVE),
    "low rank wide": (noises.LowRank(FACTOR.T), TWO),
    "formula": (noises.Formula("1 + x**2"), ONE),
    "formula Stratonovich": (noises.Formula("1 + a*x**2", interpretation="stratonovich", a=0.5), ONE),
    "formula in two": (noises.Formula("1 + x**2 + cos(y)/2", interpretation="hanggi-klimontovich"), TWO),
    "formula diagonal": (noises.Formula(["1 + x**2", "2 + x*sin(y)/2"], interpretation="stratonovich"), TWO),
    "formula constant": (noises.Formula(["1.5", 2], interpretation="stratonovich"), TWO),
    "formula tensor": (noises.Formula(TENSOR, interpretation="hanggi-klimontovich", a=0.5), THREE),
    "formula singular": (noises.Formula([["x**2", "x*y"], ["x*y", "y**2"]]), TWO),
    "custom": (noises.Custom(scalar, lambda x: 2 * x, interpretation="stratonovich"), ONE),
    "custom diagonal": (noises.Custom(diagonal, interpretation="hanggi-klimontovich"), TWO),
    "custom of an array": (noises.Custom(of_array, dim=3), THREE),
    "loss": (noises.ProportionalToLoss(factor=2.0), TWO),
    "loss with matrix": (noises.ProportionalToLoss(factor=2.0, matrix=COVARIANCE, floor=0.1), TWO),
    "loss of another": (noises.ProportionalToLoss(ONE, factor=0.5, matrix=[[3.0]], floor=0.5), ONE),
    "Hessian of one": (noises.ProportionalToHessian(factor=0.5), ONE),
    "Hessian of two": (noises.ProportionalToHessian(), TWO),
    "Hessian of three": (noises.ProportionalToHessian(factor=2.0), THREE),
    "table": (noises.Tabulated(KNOTS[0], TABLE[:, 0, 0], interpretation="stratonovich"), ONE),
    "table of scalars": (noises.Tabulated(KNOTS[:2], TABLE[:, :, 0], interpretation="hanggi-klimontovich"), TWO),
    "table of diagonals": (noises.Tabulated(KNOTS[:2], TABLE, interpretation="stratonovich"), TWO),
    "table of tensors": (
        noises.Tabulated(KNOTS, np.einsum("...ik,...jk->...ij", ROOTS, ROOTS), "hanggi-klimontovich"),
        THREE,
    ),
    "stable, Gaussian": (noises.Stable(2.0), TWO),
    "samples": (noises.GradientCovariance(method="samples"), LEAST_SQUARES),
    "factored": (noises.GradientCovariance(method="cholesky"), LEAST_SQUARES),
}  # fmt: skip
STATE_DEPENDENT = {name: pair for name, pair in NOISES.items() if not pair[0].additive and pair[0].gaussian}


def points_of(landscape, n=4):
    """Return points at which every noise of the table is a noise."""
    return np.random.default_rng(2).normal(size=(n, landscape.dim))
