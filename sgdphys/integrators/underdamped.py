"""What the integrators of underdamped Langevin dynamics share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sgdphys.checks import finite_number
from sgdphys.integrators.base import BlockIntegrator, Orders, Pace, Problem

__all__ = ["Underdamped"]


@dataclass(frozen=True)
class Underdamped(BlockIntegrator):
    r"""Base of the schemes for underdamped Langevin dynamics at unit mass and constant D.

    .. math:: dx = v\,dt,\qquad dv = -(\nabla f + \gamma v)\,dt + \sqrt{2 \gamma T D}\,dW

    Velocities start at zero and are saved as ``velocity``, in sqrt(loss); time is in x/sqrt(loss). With D = 1 the
    stationary density is exp(-(f + v^2/2)/T), whatever the friction. A temperature that changes in time is taken as
    constant during each step.

    Heavy-ball SGD, v <- mu v + g, x <- x - lr v, is a discretisation of this equation, one step of which takes the
    time dt = sqrt(2 lr/(1 + mu)), with friction gamma = (1 - mu) dt/lr and temperature T = lr/(2 B (1 - mu)): the
    central difference of the map in its own x. To compare, give these numbers as ``dt``, ``friction`` and
    ``temperature``.

    Parameters
    ----------
    friction
        gamma, in sqrt(loss)/x; not negative. Without friction there is no noise either.

    References
    ----------
    Leimkuhler & Matthews 2015, Molecular Dynamics, chapter 7; Kunin et al. 2021 (arXiv 2107.09133) for heavy ball.
    """

    equation: ClassVar[str] = "dx = v dt, dv = -(grad f + gamma v) dt + sqrt(2 gamma T D) dW"
    accepts: ClassVar[str] = "constant"
    orders: ClassVar[Orders] = Orders(1.0, None, 2.0, None)
    noisy_parts: ClassVar[int] = 1  # O or U parts in one step, each over dt divided by this

    friction: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "friction", finite_number("friction", self.friction, sign="not negative"))

    @property
    def name(self) -> str:
        """What messages and configurations call the integrator, with its friction."""
        return f"{type(self).__name__}(friction={self.friction!r})"

    def rows(self, dim: int) -> int:
        """Return the rows of the state: coordinates and velocities."""
        return 2 * dim

    def prepared(self, problem: Problem) -> Self:
        """Return the integrator; raise ValueError for SGD settings or noise that is not Gaussian of constant D."""
        self.require_additive(problem)
        if problem.sgd is not None:
            raise ValueError(
                f"{self.name} needs temperature= and dt= instead of sgd= (its documentation says which ones belong to "
                f"lr and momentum); use integrator=None for the SGD map itself with noise {problem.noise_name}"
            )
        return self

    def settings(self, pace: Pace, problem: Problem) -> NDArray[np.float64]:  # noqa: ARG002
        """Return decay and noise of the velocities over one O part, shape (step, 2)."""
        damping = self.friction * pace.dt / self.noisy_parts
        return np.column_stack([np.exp(-damping), np.sqrt(pace.temperature * -np.expm1(-2 * damping))])
