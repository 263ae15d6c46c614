"""Equations on circles, and weak and stationary orders fitted on them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys import noises
from sgdphys.landscapes import Expression
from sgdphys.testing.axes import Axis, circle, velocities
from sgdphys.testing.circles import LONG, exact_expectation, stationary_order, weak_order
from sgdphys.testing.fits import OrderFit
from sgdphys.testing.stepping import Stepper, at_step, scheme_temperature, stepper

__all__ = [
    "WEAK", "WeakProblem", "stationary_fit", "underdamped_stationary_fit", "underdamped_weak_fit", "weak_fit",
]  # fmt: skip

Array = NDArray[np.float64]
TEMPERATURE = 0.5
DTS = (1 / 16, 1 / 32, 1 / 64, 1 / 128)


@dataclass(frozen=True, eq=False)
class WeakProblem:
    """A periodic equation at T = 1/2.

    Parameters
    ----------
    landscape
        The loss, of period 2 pi in each coordinate.
    noise
        Gives the noise with D times a number, for maps of SGD, whose temperature is lower.
    size
        Points of a circle.
    separable
        Whether D_ii depends on x_i alone, so that channels do not mix.
    """

    landscape: Any
    noise: Callable[[float], Any]
    size: int = 41
    separable: bool = True

    @property
    def axes(self) -> list[Axis]:
        """A circle for each coordinate."""
        return [circle(self.size)] * self.landscape.dim

    @functools.cached_property
    def exact(self) -> Array:
        """E phi of the equation after unit time, from each point of the grid."""
        return exact_expectation(self.landscape, self.noise(1.0), TEMPERATURE, self.axes, observable, 1.0)

    @functools.cached_property
    def stationary(self) -> Array:
        """E phi of the equation in its stationary state, the same for all points of the grid."""
        return exact_expectation(self.landscape, self.noise(1.0), TEMPERATURE, self.axes, observable, LONG)

    def of_dt(self, integrator: Any) -> Callable[[float], Stepper]:
        """Return what gives the stepper of each dt."""
        temperature = scheme_temperature(integrator, TEMPERATURE, DTS[-1])
        noise = self.noise(TEMPERATURE / temperature)

        def of(dt: float) -> Stepper:
            return stepper(at_step(integrator, dt), self.landscape, noise, temperature=temperature, dt=dt)

        return of


def _reading(interpretation: str) -> WeakProblem:
    return WeakProblem(_CIRCLE, lambda s: noises.Formula("s*(1 + 4*sin(x)/5)", interpretation=interpretation, s=s))


_CIRCLE = Expression("cos(x) + 3*sin(2*x)/10")
_TORUS = Expression("cos(x)/2 + sin(y)/4 + cos(x - y)/4")
_MATRIX, _FACTOR = np.array([[1.0, 0.4], [0.4, 0.5]]), np.array([[1.0], [0.5]])
_TENSOR = [["s*(1 + sin(y)/2)", "s*cos(x)/2"], ["s*cos(x)/2", "s*(1 + sin(x)/2)"]]
WEAK = {
    "isotropic": WeakProblem(_CIRCLE, noises.Isotropic),
    "diagonal": WeakProblem(_TORUS, lambda s: noises.Diagonal([s, s / 2]), 15),
    "full": WeakProblem(_TORUS, lambda s: noises.Full(s * _MATRIX), 15),
    "low rank": WeakProblem(_TORUS, lambda s: noises.LowRank(np.sqrt(s) * _FACTOR), 23),
    "D(x), Ito": _reading("ito"),
    "D(x), Stratonovich": _reading("stratonovich"),
    "D(x), Haenggi-Klimontovich": _reading("hanggi-klimontovich"),
    "diagonal D(x)": WeakProblem(_TORUS, lambda s: noises.Formula(["s*(1 + sin(x)/2)", "s*(1 + cos(y)/2)/2"], s=s), 15),
    "full D(x)": WeakProblem(_TORUS, lambda s: noises.Formula(_TENSOR, s=s), 15, separable=False),
}


def observable(*x: Array) -> Array:
    """Return phi, a function of the coordinates without symmetry."""
    return np.asarray(np.exp(sum(np.cos(coordinate - 0.4 - k) for k, coordinate in enumerate(x))))


def weak_fit(integrator: Any, problem: WeakProblem) -> OrderFit:
    """Fit the weak order of an overdamped integrator over unit time; ``integrator`` as in ``strong_fit``."""
    return weak_order(problem.of_dt(integrator), problem.axes, observable, DTS, problem.exact)


def stationary_fit(integrator: Any, problem: WeakProblem) -> OrderFit:
    """Fit the order of a mean over the stationary state of an overdamped integrator."""
    return stationary_order(problem.of_dt(integrator), problem.axes, observable, DTS, problem.stationary)


def underdamped_weak_fit(integrator: Any) -> OrderFit:
    """Fit the weak order of a splitting of underdamped dynamics over unit time, one coordinate on a circle."""
    return weak_order(*_underdamped(integrator, 1.0))


def underdamped_stationary_fit(integrator: Any) -> OrderFit:
    """Fit the order of a mean of position and velocity over the stationary state of such a splitting."""
    return stationary_order(*_underdamped(integrator, LONG))


def _underdamped(integrator: Any, time: float) -> tuple[Any, ...]:
    noise, axes = noises.Isotropic(1.0), [circle(25), velocities(14, TEMPERATURE)]

    def phi(x: Array, v: Array) -> Array:
        return np.asarray(np.exp(np.cos(x - 0.4)) * np.cos(v - 0.3))

    def of_dt(dt: float) -> Stepper:
        return stepper(integrator, _CIRCLE, noise, temperature=TEMPERATURE, dt=dt)

    exact = exact_expectation(_CIRCLE, noise, TEMPERATURE, axes, phi, time, friction=integrator.friction)
    return of_dt, axes, phi, DTS, exact
