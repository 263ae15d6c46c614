"""How a replica moves: which gradient it takes and which normal numbers it is kicked with."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch

from sgdphys.checks import finite_number, number_array, whole_number
from sgdphys.network.tensors import to_numpy
from sgdphys.provenance import digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.network.objective import Objective
    from sgdphys.sgd import SGD

__all__ = [
    "Descent", "GaussianDescent", "GradientDescent", "LangevinDescent", "MinibatchDescent", "VarianceAmplifiedDescent",
]  # fmt: skip


class Descent:
    """What all dynamics of replicas say of themselves.

    ``substeps`` steps make one of SGD, each with the learning rate ``lr/substeps``; ``shares`` are the weights of the
    independent minibatches of a step, none for the gradient over the whole data set.
    """

    knows_momentum: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """What messages call it."""
        return type(self).__name__

    @property
    def substeps(self) -> int:
        """Steps that make one step of SGD."""
        return 1

    @property
    def shares(self) -> tuple[float, ...]:
        """Weights of the independent minibatches of a step."""
        return (1.0,)

    def normals(self, dim: int) -> int:
        """Return how many normal numbers a replica needs in a step."""
        return 0 * dim

    def check(self, sgd: SGD, objective: Objective) -> None:
        """Refuse settings that have no meaning with these dynamics.

        Raises
        ------
        ValueError
            Momentum where there is none, shuffling where batches must be independent, a factor of another size.
        """
        del objective
        if sgd.momentum and not self.knows_momentum:
            raise ValueError(f"{self.name} knows no momentum, got {sgd.momentum}; use momentum=0")

    def configuration(self) -> dict[str, Any]:
        """Return name and settings as plain values."""
        return {"dynamics": self.name, **asdict(self)}  # type: ignore[call-overload]


@dataclass(frozen=True)
class MinibatchDescent(Descent):
    """SGD itself: the gradient of a minibatch, with momentum in any form of torch."""


@dataclass(frozen=True)
class GradientDescent(Descent):
    """Gradient descent: the gradient over the whole data set; batch size and sampling do not matter."""

    @property
    def shares(self) -> tuple[float, ...]:
        """No minibatch."""
        return ()


@dataclass(frozen=True)
class LangevinDescent(Descent):
    r"""Stochastic gradient Langevin dynamics: descent and kicks of a given temperature.

    .. math:: x \leftarrow x - \mathrm{lr}\, g + \sqrt{2 T\, \mathrm{lr}}\; \xi,\qquad \xi \sim N(0, I)

    With the full gradient that is Euler-Maruyama of dx = -grad f dt + sqrt(2 T) dW with dt = lr, stationary near
    exp(-f/T); with minibatches their noise comes on top.

    Parameters
    ----------
    temperature
        T, in loss; not negative.
    gradient
        ``"full"``: over the whole data set. ``"batch"``: of a minibatch.

    References
    ----------
    Welling & Teh 2011, ICML, 681.
    """

    temperature: float
    gradient: Literal["full", "batch"] = "full"
    knows_momentum: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "temperature", finite_number("temperature", self.temperature, sign="not negative"))
        if not (isinstance(self.gradient, str) and self.gradient in {"full", "batch"}):
            raise ValueError(f"gradient must be 'full' or 'batch', got {self.gradient!r}")

    @property
    def shares(self) -> tuple[float, ...]:
        """One minibatch, or none."""
        return (1.0,) if self.gradient == "batch" else ()

    def normals(self, dim: int) -> int:
        """Return d: every parameter is kicked."""
        return dim


@dataclass(frozen=True)
class VarianceAmplifiedDescent(Descent):
    r"""SVAG: l steps of size lr/l for one step of SGD, with gradients of l times the covariance.

    .. math:: x \leftarrow x - \frac{\mathrm{lr}}{l} \Big( \frac{1 + \sqrt{2l - 1}}{2}\, g_1
              + \frac{1 - \sqrt{2l - 1}}{2}\, g_2 + \mathrm{wd}\, x \Big)

    with the mean gradients of two independent minibatches: SGD at l = 1, its stochastic differential equation as l
    grows. Time is lr/l times the step, so that ``n_steps`` counts l for one step of SGD. The particles' form is
    ``integrators.VarianceAmplifiedGradient``.

    Parameters
    ----------
    amplification
        l, a positive integer.

    References
    ----------
    Li, Malladi & Arora 2021 (arXiv 2102.12470), the algorithm SVAG.
    """

    amplification: int
    knows_momentum: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "amplification", whole_number("amplification", self.amplification))

    @property
    def substeps(self) -> int:
        """The number l."""
        return self.amplification

    @property
    def shares(self) -> tuple[float, ...]:
        """Weights of the two gradients; one gradient at l = 1."""
        root = math.sqrt(2 * self.amplification - 1)
        return (1.0,) if self.amplification == 1 else ((1 + root) / 2, (1 - root) / 2)

    def check(self, sgd: SGD, objective: Objective) -> None:
        """Refuse momentum, and shuffled minibatches, which are not independent."""
        super().check(sgd, objective)
        if sgd.sampling == "shuffle":
            raise ValueError(
                f"{self.name} needs minibatches that are independent of each other, got sampling='shuffle'; "
                "use sampling='replacement' or 'without'"
            )


@dataclass(frozen=True, eq=False)
class GaussianDescent(Descent):
    r"""Descent on the whole data set with Gaussian noise in place of that of the minibatches.

    .. math:: g = \nabla f + \sqrt{\phi / B}\; F \xi,\qquad \xi \sim N(0, I_k)

    with the sampling factor phi of the settings and a factor F of the gradient covariance, C = F F', constant in x.
    Compared with SGD it tells what of a result needs more than the covariance of the noise. Momentum takes in the noisy
    gradient as it takes in a minibatch's.

    Parameters
    ----------
    factor
        F, (d, k), in loss/x: ``network.noise().low_rank(k)``.

    References
    ----------
    Zhu et al. 2019 (arXiv 1803.00195), for SGD with Gaussian noise of measured covariance.
    """

    factor: NDArray[np.float64]

    def __post_init__(self) -> None:
        given: Any = self.factor
        factor = number_array("factor", to_numpy(given) if isinstance(given, torch.Tensor) else given)
        if factor.ndim != 2 or not np.all(np.isfinite(factor)):
            raise ValueError(f"factor must be a finite matrix (d, k), got shape {factor.shape}")
        object.__setattr__(self, "factor", factor)

    @property
    def shares(self) -> tuple[float, ...]:
        """No minibatch."""
        return ()

    def normals(self, dim: int) -> int:
        """Return k, whatever the number of parameters."""
        del dim
        return int(self.factor.shape[1])

    def check(self, sgd: SGD, objective: Objective) -> None:
        """Refuse a factor of another size and a sampling whose noise is no white noise."""
        super().check(sgd, objective)
        if len(self.factor) != objective.dim:
            raise ValueError(f"factor must have {objective.dim} rows, one for each parameter, got {len(self.factor)}")
        _ = sgd.sampling_factor

    def configuration(self) -> dict[str, Any]:
        """Return name, shape and hash of the factor."""
        return {"dynamics": self.name, "factor": {"shape": list(self.factor.shape), "array": digest(self.factor)}}
