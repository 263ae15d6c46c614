"""Equations with known paths, and strong orders fitted on them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys import noises
from sgdphys.landscapes import Expression
from sgdphys.testing.fits import OrderFit
from sgdphys.testing.paths import (
    BrownianPaths,
    Coarsening,
    strong_order,
    taylor_path,
    underdamped_deviates,
    wiener_deviates,
)
from sgdphys.testing.stepping import Stepper, at_step, scheme_temperature, stepper

__all__ = ["STRONG", "StrongProblem", "strong_fit", "underdamped_strong_fit"]

Array = NDArray[np.float64]
TEMPERATURE = 0.5
FINEST = 2.0**-10
STEPS = 2**10  # a run takes unit time
LANES = 2048
COARSE, FINE = (32, 16, 8, 4), (8, 4, 2, 1)  # finest steps in one: beside a finer numerical solution, or an exact one


@dataclass(frozen=True, eq=False)
class StrongProblem:
    """An equation at T = 1/2 whose solution on each Brownian path is known.

    Parameters
    ----------
    landscape
        The loss.
    noise
        Gives the noise with D times a number, for maps of SGD, whose temperature is lower.
    start
        Coordinates at the start.
    solution
        Gives the ends (coordinate, lane) of paths of unit time.
    channels
        Channels of the noise.
    levels
        How many of the finest steps make one step, falling.
    separable
        Whether D_ii depends on x_i alone, so that channels do not mix.
    """

    landscape: Any
    noise: Callable[[float], Any]
    start: tuple[float, ...]
    solution: Callable[[StrongProblem, Array, BrownianPaths], Array]
    channels: int = 1
    levels: tuple[int, ...] = COARSE
    separable: bool = True

    @property
    def starts(self) -> Array:
        """The start of every path, shape (coordinate, lane)."""
        return np.repeat(np.array(self.start)[:, np.newaxis], LANES, axis=1)

    @functools.cached_property
    def solved(self) -> Array:
        """The end of every path."""
        return self.solution(self, self.starts, _paths(self.channels))


@functools.lru_cache(maxsize=1)
def _paths(channels: int) -> BrownianPaths:
    return BrownianPaths.drawn(FINEST, STEPS + COARSE[0], channels, LANES)


def _taylor(problem: StrongProblem, start: Array, paths: BrownianPaths) -> Array:
    noise = problem.noise(1.0)
    if hasattr(noise, "factor"):
        root = np.asarray(noise.factor)
    else:
        root = np.sqrt(noise.diffusion(np.zeros((1, len(start))))[0])
    return taylor_path(problem.landscape, np.sqrt(2 * TEMPERATURE) * root, start, paths, STEPS)


def _euler(problem: StrongProblem, start: Array, paths: BrownianPaths) -> Array:
    """Return the end of Euler-Maruyama in the Ito sense with the finest steps, B the Cholesky factor of D."""
    x, increments, noise = start, paths.increments(1)[0], problem.noise(1.0)
    for now in range(STEPS):
        root = np.linalg.cholesky(2 * TEMPERATURE * noise.diffusion(x.T))
        kick = np.einsum("pij,jp->ip", root, increments[now])
        x = x - paths.dt * problem.landscape.gradient(x.T).T + kick
    return x


def _geometric(reading: str) -> StrongProblem:
    """Return dx = -x/2 dt + sqrt(2 T D) dW with D = x^2/4, whose logarithm is a Brownian motion."""
    fall = 0.5 + (TEMPERATURE / 4 if reading == "ito" else 0.0)

    def solution(_problem: StrongProblem, start: Array, paths: BrownianPaths) -> Array:
        return np.asarray(start * np.exp(np.sqrt(TEMPERATURE / 2) * paths.end(STEPS) - fall))

    def noise(scale: float) -> Any:
        return noises.Formula("s*x**2/4", interpretation=reading, s=scale)

    return StrongProblem(Expression("x**2/4"), noise, (1.0,), solution, levels=FINE)


HYPERBOLIC = "(y*sqrt(1 + y**2) + log(y + sqrt(1 + y**2)))/4"  # its derivative is sqrt(1 + y^2)/2


def _hyperbolic(reading: str) -> StrongProblem:
    """Return dx = -sqrt(1 + x^2)/2 dt + sqrt(2 T D) o dW with D = (1 + x^2)/4, whose solution is a sinh."""
    text = HYPERBOLIC.replace("y", "x") + (" - T*x**2/8" if reading == "ito" else " + 0*T")

    def solution(_problem: StrongProblem, start: Array, paths: BrownianPaths) -> Array:
        return np.asarray(np.sinh(np.arcsinh(start) + np.sqrt(TEMPERATURE / 2) * paths.end(STEPS) - 0.5))

    def noise(scale: float) -> Any:
        return noises.Formula("s*(1 + x**2)/4", interpretation=reading, s=scale)

    return StrongProblem(Expression(text, T=TEMPERATURE), noise, (0.5,), solution, levels=FINE)


def _side_by_side() -> StrongProblem:
    """Return the two equations above as one, with diagonal D (Ito)."""
    parts = (_geometric("ito"), _hyperbolic("ito"))

    def solution(_problem: StrongProblem, start: Array, paths: BrownianPaths) -> Array:
        alone = [BrownianPaths(paths.dt, paths.xi[:, :, [k]]) for k in range(2)]
        return np.concatenate([parts[k].solution(parts[k], start[[k]], alone[k]) for k in range(2)])

    def noise(scale: float) -> Any:
        return noises.Formula(["s*x**2/4", "s*(1 + y**2)/4"], s=scale)

    landscape = Expression(f"x**2/4 + {HYPERBOLIC} - T*y**2/8", T=TEMPERATURE)
    return StrongProblem(landscape, noise, (1.0, 0.5), solution, 2, FINE)


def _mixing(diffusion: Any) -> StrongProblem:
    """Return a weak drift and a D(x, y) whose channels mix: no scheme with increments alone is better than 1/2."""
    landscape = Expression("cos(x)/4 + sin(x - y)/8")
    return StrongProblem(
        landscape, lambda s: noises.Formula(diffusion, s=s), (0.5, -0.5), _euler, 2, (64, 32, 16), separable=False
    )


_COUPLED = Expression("x**4/4 + y**2 + x*y + cos(x + y)")
_MATRIX, _FACTOR = np.array([[1.0, 0.4], [0.4, 0.5]]), np.array([[1.0], [0.5]])
STRONG = {
    "isotropic": StrongProblem(Expression("x**4/4 - x**2/2"), noises.Isotropic, (-0.8,), _taylor),
    "diagonal": StrongProblem(_COUPLED, lambda s: noises.Diagonal([s, s / 4]), (0.5, -0.5), _taylor, 2),
    "full": StrongProblem(_COUPLED, lambda s: noises.Full(s * _MATRIX), (0.5, -0.5), _taylor, 2),
    "low rank": StrongProblem(_COUPLED, lambda s: noises.LowRank(np.sqrt(s) * _FACTOR), (0.5, -0.5), _taylor),
    "D ~ x^2": _geometric("ito"),
    "D ~ x^2, Stratonovich": _geometric("stratonovich"),
    "D ~ 1 + x^2": _hyperbolic("ito"),
    "D ~ 1 + x^2, Stratonovich": _hyperbolic("stratonovich"),
    "diagonal D(x)": _side_by_side(),
    "D(x, y) 1": _mixing("s*(1 + sin(x + 2*y)/2)"),
    "full D(x)": _mixing([["s*(1 + sin(y)/2)", "s*cos(x)/2"], ["s*cos(x)/2", "s*(1 + sin(x)/2)"]]),
}


def strong_fit(integrator: Any, problem: StrongProblem, coarsening: Coarsening = wiener_deviates) -> OrderFit:
    """Fit the strong order of an overdamped integrator over unit time.

    Parameters
    ----------
    integrator
        The scheme, or a function that gives it for each dt.
    problem
        Equation and solution.
    coarsening
        How the scheme takes its deviates from a Brownian path.

    Returns
    -------
    OrderFit
        The order with its standard error.
    """
    temperature = scheme_temperature(integrator, TEMPERATURE, FINEST * problem.levels[-1])
    noise = problem.noise(TEMPERATURE / temperature)

    def of_dt(dt: float) -> Stepper:
        return stepper(at_step(integrator, dt), problem.landscape, noise, temperature=temperature, dt=dt)

    paths = _paths(problem.channels)
    return strong_order(of_dt, problem.starts, problem.solved, paths, problem.levels, STEPS, coarsening)


def underdamped_strong_fit(integrator: Any, reference: Any) -> OrderFit:
    """Fit the strong order of a splitting of underdamped dynamics in a double well over unit time.

    Parameters
    ----------
    integrator
        The scheme, with its ``friction``.
    reference
        A scheme for the same equation, which takes the finest steps.

    Returns
    -------
    OrderFit
        The order of positions and velocities together.
    """
    problem, lanes = STRONG["isotropic"], LANES // 2
    paths = BrownianPaths.drawn(FINEST, STEPS, 1, lanes, sets=4)
    coarsening = underdamped_deviates(integrator.friction)
    start = np.concatenate([problem.starts[:, :lanes], np.ones((1, lanes))])

    def of(scheme: Any, dt: float) -> Stepper:
        return stepper(scheme, problem.landscape, problem.noise(1.0), temperature=TEMPERATURE, dt=dt)

    finest = of(reference, FINEST)
    exact = finest.advance(start, coarsening(finest, paths, 1))
    return strong_order(functools.partial(of, integrator), start, exact, paths, COARSE, STEPS, coarsening)
