"""The exact propagator of Ornstein-Uhlenbeck processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sgdphys.integrators.base import BlockIntegrator, Orders, Pace, Problem
from sgdphys.integrators.linear_flow import LinearFlow, constant_hessian, kick_root
from sgdphys.kernels.additive_steps import ornstein_uhlenbeck_step

__all__ = ["ExactOrnsteinUhlenbeck"]

MOST_SCHEDULED = 4096  # numbers of a step that a schedule repeats for thousands of steps


@dataclass(frozen=True)
class ExactOrnsteinUhlenbeck(BlockIntegrator):
    r"""The law of :math:`dx = -(H x + c)\,dt + \sqrt{2 T D}\,dW` itself, at any dt, for quadratic landscapes.

    .. math:: x \leftarrow e^{-H dt} x - \int_0^{dt} e^{-H s} ds\,c + N(0, Q), \qquad
        Q = 2 T \int_0^{dt} e^{-H s} D\, e^{-H s} ds

    Means, covariances and correlations in time are exact: only the choice of frames limits dt. D is constant; it may
    be singular and need not commute with H, whose eigenvalues may be zero or negative. The landscape is
    ``landscapes.Quadratic`` or another one with its ``matrix``, or sums, multiples and tilts of such. A temperature
    schedule is taken as constant within each step, which is exact for steps of temperature.

    The root of Q is the one nearest to the kick of Euler-Maruyama, so that paths of both with the same seed tend to
    each other as dt falls. A noise with fewer channels than coordinates takes further normals, one for each
    coordinate in all.

    References
    ----------
    Gardiner 2009, Stochastic Methods, section 4.5.6; Gillespie 1996, Phys. Rev. E 54, 2084.
    """

    equation: ClassVar[str] = "dx = -(H x + c) dt + sqrt(2 T D) dW, H and D constant"
    scheme: ClassVar[str] = "exp(-H dt) x + N(0, Q), Q = 2 T int_0^dt exp(-H s) D exp(-H s) ds"
    accepts: ClassVar[str] = "constant; quadratic landscapes"
    orders: ClassVar[Orders] = Orders(None, None, None, None)

    flow: LinearFlow | None = field(default=None, init=False, repr=False, compare=False)
    deviates_per_channel: int = field(default=1, init=False)  # type: ignore[misc]  # follows from the problem

    @property
    def step(self) -> Callable[..., None]:
        """The step on a block, a plain function of the kernels."""
        return ornstein_uhlenbeck_step

    def prepared(self, problem: Problem) -> Self:
        """Return it with the flow of the problem; ValueError unless f is quadratic, D constant, without momentum."""
        self.require_additive(problem)
        self.refuse_sgd(problem)
        hessian = constant_hessian(problem.landscape)
        if hessian is None:
            raise ValueError(
                f"{self.name} solves quadratic landscapes, and {type(problem.landscape).__name__} is not known to be "
                "one; use landscapes.Quadratic(matrix), or integrators.SRA1()"
            )
        slope = problem.landscape.gradient(np.zeros((1, problem.dim)))[0]
        flow = LinearFlow(hessian, slope, kick_root(problem.noise, problem.dim))
        fitted = type(self)()
        object.__setattr__(fitted, "flow", flow)
        object.__setattr__(fitted, "deviates_per_channel", flow.sets)
        return fitted

    def settings(self, pace: Pace, problem: Problem) -> NDArray[np.float64]:
        """Return shift, propagator and root of each step.

        Parameters
        ----------
        pace
            Lengths of the steps.
        problem
            What the integrator was prepared for.

        Returns
        -------
        NDArray
            Shape (step, number).

        Raises
        ------
        ValueError
            There are many coordinates and a schedule, which repeats the matrices for each step.
        """
        flow = self.flow
        assert flow is not None
        lengths, which = np.unique(pace.dt, return_inverse=True)
        lines = np.stack([flow.numbers(float(dt)) for dt in lengths])
        if len(pace.dt) > 1 and lines.shape[1] > MOST_SCHEDULED:
            raise ValueError(
                f"{self.name} takes schedules in up to 45 coordinates, got {problem.dim}: "
                "run the stages one after the other at constant temperature, or use integrators.SRA1()"
            )
        return np.broadcast_to(lines, (len(pace.dt), lines.shape[1])) if len(lines) == 1 else lines[which]
