"""Potentials of the stationary state of linear SGD, for work and the theorem of Hatano and Sasa."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from sgdphys.checks import finite_number, number_array
from sgdphys.landscapes.quadratic import Quadratic
from sgdphys.schedules import SGDSchedule
from sgdphys.sgd import SGD
from sgdphys.theory import stationary_covariance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.protocols import Array

__all__ = ["stationary_energies", "stationary_energy"]

_NO_STEP = 1e-9  # dt H below which the chain is the equation, but for rounding


def stationary_energy(hessian: ArrayLike, covariance: ArrayLike, *, dt: float = 0.0) -> Quadratic:
    r"""Return the potential :math:`\Phi = x^T S_1^{-1} x / 2` of a quadratic loss, S_1 the covariance per temperature.

    The stationary state at temperature T is :math:`e^{-\Phi/T}` whatever T is. Without a time step S_1 solves
    :math:`H S_1 + S_1 H = 2 C`; for the chain of Euler and Maruyama,
    :math:`S_1 = (1 - dt H) S_1 (1 - dt H) + 2\,dt\,C`.

    Parameters
    ----------
    hessian
        H (coordinate, coordinate), symmetric and positive, in loss/x^2, weight decay included.
    covariance
        C, the diffusion D of the noise, symmetric, in loss^2/x^2.
    dt
        Time step, or learning rate, in x^2/loss; 0 for the stochastic differential equation.

    Returns
    -------
    Quadratic
        Phi, in x^2 per unit of temperature, not normalised: Z_1/Z_0 is (T_1/T_0)^(dim/2).

    Raises
    ------
    ValueError
        A matrix is not symmetric or not positive, the noise leaves a direction out, or the chain does not settle.
    """
    step = finite_number("dt", dt, sign="not negative")
    discrete = step > 0 and step * np.abs(number_array("hessian", hessian)).max(initial=0.0) > _NO_STEP
    sgd = SGD(lr=step if discrete else 1.0, batch_size=1)
    found = _covariance(hessian, covariance, sgd, "discrete" if discrete else "lyapunov") / sgd.temperature
    return Quadratic(_inverse(found))


def stationary_energies(
    hessian: ArrayLike,
    covariance: ArrayLike,
    schedule: SGDSchedule,
    *,
    mode: Literal["discrete", "lyapunov"] = "discrete",
) -> list[tuple[Quadratic, int]]:
    r"""Return the normalised potential of each stage of a schedule of learning rate and batch size.

    .. math:: \frac{\Phi_k}{T_k} = \frac12 x^T S_k^{-1} x + \frac12 \ln\det(2 \pi S_k)

    with the stationary covariance :math:`S_k` at the stage's learning rate and batch size and T_k its effective
    temperature. Given to ``observers.Work(energy=...)``, :math:`\langle e^{-w} \rangle = 1` from the first stage's
    stationary state on: exactly so in the mode ``"discrete"`` with Gaussian noise, since every step keeps the
    stationary state of its own stage.

    Parameters
    ----------
    hessian
        H (coordinate, coordinate), symmetric and positive, in loss/x^2, weight decay included.
    covariance
        Population covariance C of the per-sample gradients, symmetric, in loss^2/x^2.
    schedule
        Stages, without momentum.
    mode
        ``"discrete"`` for the map, ``"lyapunov"`` for its stochastic differential equation.

    Returns
    -------
    list
        Pairs of a potential and the number of steps of its stage.

    Raises
    ------
    ValueError
        ``schedule`` is none, has momentum or no noise, a matrix is not symmetric or not positive, the noise leaves a
        direction out, or a stage does not settle.

    References
    ----------
    Hatano & Sasa 2001, Phys. Rev. Lett. 86, 3463.
    """
    if not isinstance(schedule, SGDSchedule):
        raise ValueError(f"schedule must be an SGDSchedule, got {schedule!r:.60}; stationary_energy takes a dt")
    if mode not in ("discrete", "lyapunov"):
        raise ValueError(f"mode must be 'discrete' or 'lyapunov', got {mode!r}")
    if schedule.sgd.momentum:
        raise ValueError("the work of SGD with momentum is not known; give a schedule with momentum=0")
    return [(_normalised(_covariance(hessian, covariance, sgd, mode), sgd), steps) for sgd, steps in schedule.stages]


def _covariance(hessian: ArrayLike, covariance: ArrayLike, sgd: SGD, mode: Literal["discrete", "lyapunov"]) -> Array:
    found = stationary_covariance(hessian, covariance, sgd, mode)["stationary_covariance"]
    return np.asarray(found.values, dtype=np.float64)


def _normalised(covariance: Array, sgd: SGD) -> Quadratic:
    temperature = sgd.effective_temperature
    inverse = _inverse(covariance)
    constant = (len(covariance) * math.log(2 * math.pi) - float(np.linalg.slogdet(inverse)[1])) / 2
    return Quadratic(temperature * inverse, temperature * constant)


def _inverse(covariance: Array) -> Array:
    values = np.linalg.eigvalsh(covariance)
    if values[0] <= 1e-13 * values[-1]:
        raise ValueError(
            f"the noise must reach every direction, got a stationary covariance of eigenvalues {values[0]:.3g} to "
            f"{values[-1]:.3g}; leave the others out, or add noise"
        )
    inverse = np.linalg.inv(covariance)
    return np.asarray((inverse + inverse.T) / 2)
