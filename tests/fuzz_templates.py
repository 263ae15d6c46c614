"""A few compiled templates, landscape x noise x integrator, over whose numbers the fuzz tests go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import sgdphys as sp
from sgdphys import integrators, noises, schedules

GENERATOR = np.random.default_rng(21)
WELL = sp.landscapes.DoubleWell()
THREE = sp.landscapes.Quadratic([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 1.5]]) + sp.landscapes.Linear(
    [0.5, 0.0, -1.0]
)
PLANE = sp.landscapes.Expression("x**4/4 - x**2/2 + y**2*(1 + x**2)/2 + 1")
MATRIX = np.cov(GENERATOR.normal(size=(3, 30)))
DATA = GENERATOR.normal(size=(12, 3)), GENERATOR.normal(size=12)
SUM = sp.landscapes.LeastSquares(*DATA)
PULLED = sp.landscapes.Driven(PLANE, sp.landscapes.Linear([1.0, -0.5]), schedules.Cyclic(-1.0, 1.0, period=0.37))
ANNEALED = schedules.Linear(1.0, 0.0, begin=0.0, end=1.0)  # times the temperature that is drawn
CYCLED = schedules.Cyclic(0.0, 1.0, period=0.2, shape="square")


@dataclass(frozen=True)
class Template:
    """What is compiled.

    ``temperature`` is None for a constant one, else the shape of its course in time; ``sgd`` None for ``temperature``
    and ``dt``, else settings besides ``lr`` and ``batch_size``, with ``stages`` in three stages.
    """

    landscape: Any
    noise: Any = None
    integrator: Any = None
    temperature: Any = None
    sgd: dict[str, Any] | None = None
    stages: bool = False
    substeps: int = 1

    @property
    def batch_sizes(self) -> tuple[int, int]:
        """The batch sizes that fit the data."""
        return (1, 12) if hasattr(self.landscape, "n_samples") else (1, 1000)


def _sgd(landscape, noise=None, integrator=None, **settings):
    stages = settings.pop("stages", False)
    return Template(
        landscape, noise, integrator, sgd=settings, stages=stages, substeps=getattr(integrator, "substeps", 1)
    )


FORMULA = noises.Formula("1 + x**2/2")
STRATONOVICH = noises.Formula("1 + x**2/2", interpretation="stratonovich")
HANGGI = noises.Formula(["1 + x**2/4 + y**2/8", "2 + y*x/8 + x**2/8 + y**2/8"], interpretation="hanggi-klimontovich")
SGD_TEMPLATES = {
    "SGD": _sgd(THREE, noises.Full(MATRIX), weight_decay=0.1),
    "heavy ball": _sgd(THREE, noises.Diagonal([1.0, 0.0, 2.0]), momentum=0.9, dampening=0.3, weight_decay=0.1),
    "Nesterov": _sgd(WELL, noises.Isotropic(1.0), momentum=0.5, nesterov=True),
    "SGD, Stratonovich": _sgd(WELL, STRATONOVICH),
    "SGD in stages": _sgd(PLANE, noises.ProportionalToLoss(factor=0.5), stages=True),
    "driven SGD": _sgd(PULLED, noises.Isotropic(1.0), momentum=0.5),
    "gradient covariance": _sgd(SUM, noises.GradientCovariance(method="cholesky"), sampling="without"),
    "SVAG": _sgd(THREE, noises.Isotropic(1.0), integrators.VarianceAmplifiedGradient(substeps=4)),
    "SVAG of minibatches": _sgd(SUM, None, integrators.VarianceAmplifiedGradient(substeps=2), sampling="without"),
    "modified equation": _sgd(PLANE, HANGGI, integrators.ModifiedEquation(order=2, substeps=2)),
    "Euler of SGD in stages": _sgd(WELL, noises.Isotropic(1.0), integrators.LeimkuhlerMatthews(), stages=True),
    "replacement": _sgd(SUM, sampling="replacement", weight_decay=0.1),
    "without": _sgd(SUM, sampling="without", momentum=0.9),
    "shuffle": _sgd(SUM, sampling="shuffle", momentum=0.9, nesterov=True),
    "shuffle in stages": _sgd(SUM, sampling="shuffle", stages=True),
    "replacement in stages": _sgd(SUM, sampling="replacement", stages=True, momentum=0.5, dampening=0.5),
}
THERMAL_TEMPLATES = {
    "Euler": Template(WELL, noises.Isotropic(1.0)),
    "Euler, full": Template(THREE, noises.Full(MATRIX)),
    "Euler, low rank": Template(THREE, noises.LowRank(GENERATOR.normal(size=(3, 2)))),
    "Euler, Hanggi": Template(PLANE, HANGGI),
    "Euler, tensor": Template(PLANE, noises.Formula([["1 + x**2", "x*y/2"], ["x*y/2", "1 + y**2"]])),
    "Euler, stable": Template(PLANE, noises.Stable(1.5)),
    "Euler, loss": Template(PLANE, noises.ProportionalToLoss(factor=0.5)),
    "Euler, Hessian": Template(THREE, noises.ProportionalToHessian()),
    "Euler, samples": Template(SUM, noises.GradientCovariance(method="samples")),
    "Milstein": Template(WELL, FORMULA, integrators.Milstein()),
    "Milstein, Stratonovich": Template(WELL, STRATONOVICH, integrators.Milstein(), temperature=ANNEALED),
    "Heun": Template(WELL, FORMULA, integrators.StochasticHeun()),
    "Heun, cycled": Template(WELL, noises.Isotropic(1.0), integrators.StochasticHeun(), temperature=CYCLED),
    "Platen": Template(PLANE, noises.Formula(["1 + x**2/4", "2 + y**2/4"]), integrators.PlatenWeak2()),
    "SRA1": Template(THREE, noises.Full(MATRIX), integrators.SRA1(), temperature=CYCLED),
    "Leimkuhler-Matthews": Template(WELL, noises.Isotropic(1.0), integrators.LeimkuhlerMatthews()),
    "Leimkuhler-Matthews, cycled": Template(THREE, None, integrators.LeimkuhlerMatthews(), temperature=CYCLED),
    "tamed": Template(WELL, STRATONOVICH, integrators.TamedEuler()),
    "tamed, stable": Template(WELL, noises.Stable(0.8), integrators.TamedEuler(), temperature=ANNEALED),
    "exact": Template(THREE, noises.Diagonal([1.0, 0.0, 2.0]), integrators.ExactOrnsteinUhlenbeck()),
    "exact, annealed": Template(THREE, None, integrators.ExactOrnsteinUhlenbeck(), temperature=ANNEALED),
    "OBABO": Template(PLANE, noises.Isotropic(1.0), integrators.OBABO(friction=0.5)),
    "BAOAB": Template(PULLED, noises.Diagonal([1.0, 2.0]), integrators.BAOAB(friction=2.0), temperature=ANNEALED),
    "UBU": Template(THREE, noises.Full(MATRIX), integrators.UBU(friction=1.0)),
    "driven": Template(PULLED, noises.Isotropic(1.0)),
    "driven Heun": Template(PULLED, noises.Full([[1.0, 0.5], [0.5, 1.0]]), integrators.StochasticHeun()),
}
TEMPLATES = THERMAL_TEMPLATES | SGD_TEMPLATES
