"""What our integrators share: the problem they are fitted to, the table of their orders, and common refusals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sgdphys.protocols import Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["BlockIntegrator", "Orders", "Pace", "Problem"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Orders:
    """Orders of convergence: None where the method does not apply or has none.

    ``strong`` is that of single paths under shared noise, ``weak`` that of averages; each for additive noise (D
    constant) and for multiplicative noise (D depends on x).
    """

    strong_additive: float | None
    strong_multiplicative: float | None
    weak_additive: float | None
    weak_multiplicative: float | None


@dataclass(frozen=True)
class Problem:
    """What an integrator is fitted to; ``sgd`` holds momentum, weight decay and sampling where there is one."""

    landscape: Landscape
    noise: Noise
    sgd: SGD | None

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.landscape.dim

    @property
    def noise_name(self) -> str:
        """What messages call the noise."""
        return type(self.noise).__name__


@dataclass(frozen=True)
class Pace:
    """Length, temperature and batch size of one step, or of each of several, shape (step,)."""

    dt: Array
    temperature: Array
    batch_size: Array

    def sampling_factors(self, sgd: SGD) -> Array:
        """Return the sampling factor of ``sgd`` at each step's batch size, shape (step,)."""
        sizes = np.unique(self.batch_size)
        factors = [replace(sgd, batch_size=int(size)).sampling_factor for size in sizes]
        return np.asarray(factors)[np.searchsorted(sizes, self.batch_size)]


class BlockIntegrator(ABC):
    """Defaults of :class:`sgdphys.protocols.Integrator`: overdamped, Ito, one normal a channel, no scratch.

    A subclass states ``equation`` and ``scheme`` in a line of plain mathematics each, its ``orders``, and what
    noise it ``accepts``.
    """

    equation: ClassVar[str]
    scheme: ClassVar[str]
    accepts: ClassVar[str]  # noise, in words
    orders: ClassVar[Orders]
    interpretation: ClassVar[str] = "ito"  # "stratonovich" for schemes that converge to that reading of the noise
    deviates_per_channel: ClassVar[int] = 1  # normals that one step uses of each channel of the noise
    ahead: ClassVar[int] = 0  # 1 for schemes that also read the normals of the next step
    substeps: int = 1  # steps of the engine in one step of SGD, whose dt is then lr / substeps

    @property
    @abstractmethod
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function; see ``sgdphys.kernels.steps``."""

    def rows(self, dim: int) -> int:
        """Return the rows of the state: the coordinates alone."""
        return dim

    def work_rows(self, dim: int) -> int:  # noqa: ARG002
        """Return how many rows of scratch a step needs, besides those of the noise, which come after them."""
        return 0

    def prepared(self, problem: Problem) -> Self:
        """Return the integrator fitted to a problem.

        Parameters
        ----------
        problem
            Landscape, noise and SGD settings.

        Returns
        -------
        Self
            The integrator itself, or one with what follows from the problem filled in.

        Raises
        ------
        ValueError
            The method does not solve this problem; the message names both.
        """
        self.refuse_minibatches(problem)
        return self

    def settings(self, pace: Pace, problem: Problem) -> Array:  # noqa: ARG002
        """Return the integrator's own numbers, shape (step, number); none by default."""
        return np.empty((len(pace.dt), 0))

    @property
    def name(self) -> str:
        """What messages call the integrator."""
        return type(self).__name__

    def refuse_minibatches(self, problem: Problem) -> None:
        """Raise ValueError for real minibatches, which only the maps of SGD take."""
        if hasattr(problem.noise, "is_minibatch"):
            raise ValueError(
                f"{self.name} integrates a stochastic differential equation and cannot take real minibatches "
                "(noise Minibatch); use integrator=None, or noises.GradientCovariance(landscape) for the equation"
            )

    def require_additive(self, problem: Problem) -> None:
        """Raise ValueError unless the noise is Gaussian with constant D."""
        self.require_gaussian(problem)
        if not getattr(problem.noise, "additive", True):
            raise ValueError(
                f"{self.name} needs noise of constant diffusion, and D of {problem.noise_name} depends on x; "
                "use integrators.EulerMaruyama() or another one for multiplicative noise"
            )

    def require_gaussian(self, problem: Problem) -> None:
        """Raise ValueError unless the noise is Gaussian."""
        self.refuse_minibatches(problem)
        if not getattr(problem.noise, "gaussian", True):
            raise ValueError(
                f"{self.name} needs Gaussian noise, and {problem.noise_name} is not; use integrators.EulerMaruyama()"
            )

    def require_diagonal(self, problem: Problem, *, separable: bool) -> None:
        """Refuse noise that is neither additive nor diagonal nor of one coordinate and channel.

        Parameters
        ----------
        problem
            Landscape, noise and SGD settings.
        separable
            Whether D_ii of a diagonal noise may depend on x_i alone.

        Raises
        ------
        ValueError
            The noise is of another kind.
        """
        self.require_gaussian(problem)
        noise: Any = problem.noise
        if getattr(noise, "additive", True) or (problem.dim == 1 and noise.channels(1) == 1):
            return
        if not getattr(noise, "diagonal", False):
            raise ValueError(
                f"{self.name} needs noise of constant or diagonal diffusion, and D of {problem.noise_name} is neither; "
                "use integrators.EulerMaruyama()"
            )
        if separable and not getattr(noise, "separable", False):
            raise ValueError(
                f"{self.name} needs a D_ii that depends on x_i alone, and that of {problem.noise_name} depends on "
                "other coordinates too; use integrators.EulerMaruyama()"
            )

    def refuse_sgd(self, problem: Problem) -> None:
        """Raise ValueError for SGD settings that a plain stochastic differential equation does not have."""
        sgd: Any = problem.sgd
        if sgd is not None:
            _ = sgd.sampling_factor  # refuses shuffling, which has no temperature
        if sgd is not None and sgd.momentum:
            raise ValueError(
                f"{self.name} knows no momentum, got {sgd.momentum}; use integrator=None for the SGD map itself"
            )
        if sgd is not None and sgd.weight_decay:
            raise ValueError(
                f"{self.name} takes weight decay as part of the landscape; "
                "add (wd/2)|x|^2 to it, or use integrator=None"
            )
