"""From a landscape, a noise and a temperature to the operator on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sgdphys.fokker_planck.problems import settle

if TYPE_CHECKING:
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.fokker_planck.operator import Operator
    from sgdphys.protocols import Landscape, Noise
    from sgdphys.sgd import SGD

__all__ = ["discretise", "steady_operator"]


def discretise(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: Any = None,
    sgd: SGD | None = None,
    grid: Grid,
    time: float = 0.0,
) -> Operator:
    r"""Build the Fokker-Planck operator of a landscape, a noise and a temperature on a grid.

    With ``temperature=`` it is :math:`\nabla\cdot[p (\nabla f - c + (1 - r) T\, \nabla\cdot D) + T D \nabla p]`, with
    the circulating part c of a ``landscapes.Field`` and the reading r of the noise: 0 Ito, 1/2 Stratonovich, 1
    Haenggi-Klimontovich. With ``sgd=`` the temperature is ``sgd.effective_temperature``, the landscape gains
    (wd/2)\|x\|^2, and everything is 1/(1 - momentum) times as fast, because time is lr * step while the overdamped
    motion has the learning rate lr/(1 - momentum).

    Parameters
    ----------
    landscape
        Anything with ``dim`` and ``potential(x)``; ``gradient(x)`` too where D depends on x or mixes coordinates. On a
        periodic axis faces at the wall ask for points beyond it, so that a tilted landscape drives a current.
    noise
        Gaussian noise of any D(x), positive in all directions; None means D = 1, with ``temperature=``, or the
        gradient covariance C(x) of a finite sum, with ``sgd=``.
    temperature
        T, in x^2/loss; positive; a number, a schedule or a function of time. Exactly one of ``temperature`` and
        ``sgd`` is given.
    sgd
        Settings of stochastic gradient descent that the temperature comes from, or a schedule of them.
    grid
        The cells; as many axes as the landscape has coordinates.
    time
        When, for what changes in time.

    Returns
    -------
    Operator
        The operator on the grid.

    Raises
    ------
    ValueError
        The temperature is not positive; the grid or the noise does not fit the landscape; D is singular, not finite,
        or too anisotropic for the cells; the potential is not finite in some cell; the noise is not Gaussian.
    """
    return settle(landscape, noise, temperature, sgd, grid).operator(time)


def steady_operator(landscape: Landscape, noise: Noise | None, temperature: Any, sgd: Any, grid: Grid) -> Operator:
    """Return the operator of what does not change in time, for verbs that need that.

    Parameters
    ----------
    landscape, noise, temperature, sgd, grid
        As in :func:`discretise`.

    Returns
    -------
    Operator
        The operator.

    Raises
    ------
    ValueError
        Something changes in time, or as in :func:`discretise`.
    """
    problem = settle(landscape, noise, temperature, sgd, grid)
    if hasattr(problem.landscape, "protocol"):
        raise ValueError("this landscape changes in time and one that does not is needed: give landscape.at(time)")
    if problem.changes or len(problem.breaks()) > 1:
        raise ValueError("the temperature must not change in time here: give a number, or one SGD; or use evolve")
    return problem.operator()
