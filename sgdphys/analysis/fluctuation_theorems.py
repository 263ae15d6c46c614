"""Fluctuation theorems of runs: Jarzynski's equality, Hatano and Sasa's, and that of the total entropy."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.analysis.acceptance_ratios import acceptance_ratio
from sgdphys.analysis.exponential_averages import (
    ExponentialAverage,
    numbers_of_particles,
    reduced_works,
    scalars,
    warn_of_few,
)
from sgdphys.analysis.partition_ratios import partition_ratio_of_run
from sgdphys.analysis.temperatures_of_run import steps_and_temperatures
from sgdphys.checks import finite_number

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from sgdphys.protocols import Array

__all__ = ["hatano_sasa", "integral_fluctuation", "jarzynski"]

_DOUBLED = 2 - 1e-9
_SIGNIFICANT = 4.0  # standard errors


def jarzynski(run: xr.Dataset, *, reverse: xr.Dataset | None = None, name: str = "") -> xr.Dataset:
    r"""Return the free-energy difference that the work along a protocol tells, by Jarzynski's equality.

    With the reduced energy u = f/T and the reduced work w, the sum of the changes of u at fixed positions,

    .. math:: \langle e^{-w} \rangle = \frac{Z_1}{Z_0} = e^{-\Delta}, \qquad \Delta \le \langle w \rangle ,

    for a run that starts in :math:`e^{-f/T}/Z_0`, whatever the speed. It holds for changes of the landscape and of the
    temperature, hence of learning rate and batch size, with noise D = 1 (D = c 1: give ``Work(energy=f/c)``); with any
    other noise :func:`hatano_sasa` holds. At constant T the free-energy difference is T Delta.

    Parameters
    ----------
    run
        A run with :class:`sgdphys.observers.Work`, or what :func:`sgdphys.analysis.path_work` returned.
    reverse
        The run of the reversed protocol from the stationary state at its beginning, for Bennett's estimate. It needs
        detailed balance.
    name
        Name of the observer, of both runs.

    Returns
    -------
    xr.Dataset
        Each with ``_standard_error``, all without unit: ``exponential_work``, the average of exp(-w);
        ``reduced_free_energy_difference``, -ln of it; ``second_cumulant_estimate``, <w> - var(w)/2, exact for Gaussian
        work; ``mean_reduced_work``; ``dissipated_work``, <w> - Delta. Further ``effective_sample_size`` n_eff of Kish
        and ``free_energy_bias``, by how much Delta is too large on average to first order, (1/n_eff - 1/n)/2.
        With ``reverse`` also ``acceptance_ratio_estimate`` of Delta from both runs, with error, and ``consistency_z``,
        the difference of the estimates of Delta from either run in its standard errors.

    Raises
    ------
    ValueError
        There is no reduced work, it is not finite, or fewer than two particles are left.

    Warns
    -----
    UserWarning
        n_eff is below 100; the temperature rises by a factor of two or more, so that the variance of exp(-w) is
        infinite after a jump and may be after a fast rise (:math:`e^{-2w}` needs 2/T_1 > 1/T_0); particles were lost;
        or the two runs contradict each other.

    References
    ----------
    Jarzynski 1997, Phys. Rev. Lett. 78, 2690, equation 2; Gore, Ritort & Bustamante 2003, PNAS 100, 12564, for the
    bias; Bennett 1976, J. Comput. Phys. 22, 245.
    """
    works = reduced_works(run, name)
    average = ExponentialAverage(works)
    warn_of_few(average, "the average of exp(-w)")
    _warn_of_heating(run)
    values = _of_one_run(works, average)
    if reverse is not None:
        values |= _of_both(works, average, reduced_works(reverse, name))
    return scalars(values)


def hatano_sasa(
    run: xr.Dataset, *, energy: Any = None, partition_ratio: float | None = None, name: str = ""
) -> xr.Dataset:
    r"""Return the average of Hatano and Sasa, which is 1 for the potential of the noise and not for the loss.

    With the potential :math:`\Phi = -T \ln p_{ss}` in place of the loss, u = Phi/T, and a run from the stationary
    state,

    .. math:: \langle e^{-w} \rangle \frac{Z_0}{Z_1} = 1, \qquad Z = \int e^{-u} dx

    for any noise, with circulation or without. Take ``observers.Work(energy=Phi)`` with Phi of
    :func:`sgdphys.analysis.stationary_energy` for a temperature in time, or the energies of
    :func:`sgdphys.analysis.stationary_energies` for a schedule of learning rate and batch size: the average is then
    exactly 1 for linear forces and Gaussian noise, at any time step.

    Parameters
    ----------
    run
        A run with :class:`sgdphys.observers.Work`, or what :func:`sgdphys.analysis.path_work` returned.
    energy
        What ``Work(energy=...)`` was given, where it is quadratic, to work out Z_1/Z_0. None: what the configuration
        tells of it.
    partition_ratio
        Z_1/Z_0 where the energy is not quadratic; 1 for a normalised one.
    name
        Name of the observer.

    Returns
    -------
    xr.Dataset
        ``hatano_sasa_average`` with ``_standard_error``, ``hatano_sasa_z``, its distance from 1 in standard errors,
        ``effective_sample_size`` and ``partition_ratio``.

    Raises
    ------
    ValueError
        There is no reduced work, it is not finite, fewer than two particles are left, or Z_1/Z_0 is not known.

    Warns
    -----
    UserWarning
        The average is more than four standard errors away from 1, or rests on fewer than 100 effective samples, or the
        temperature rises by a factor of two or more.

    References
    ----------
    Hatano & Sasa 2001, Phys. Rev. Lett. 86, 3463.
    """
    works = reduced_works(run, name)
    if partition_ratio is None:
        logarithm = partition_ratio_of_run(run, energy, name)
    else:
        logarithm = math.log(finite_number("partition_ratio", partition_ratio, sign="positive"))
    average = ExponentialAverage(works + logarithm)
    warn_of_few(average, "the average of exp(-w)")
    _warn_of_heating(run)
    error = average.average * average.relative_error
    z = (average.average - 1) / error if error > 0 else (0.0 if math.isclose(average.average, 1) else math.inf)
    if abs(z) > _SIGNIFICANT:
        warnings.warn(
            f"the average of Hatano and Sasa is {average.average:.5g} +- {error:.2g}, {abs(z):.3g} standard errors "
            "from 1: the energy is not the potential -T log p_ss of this noise, or the run did not start in that state",
            UserWarning,
            stacklevel=2,
        )
    return scalars(
        {
            "hatano_sasa_average": average.average,
            "hatano_sasa_average_standard_error": error,
            "hatano_sasa_z": z,
            "effective_sample_size": average.effective_sample_size,
            "partition_ratio": math.exp(logarithm),
        }
    )


def integral_fluctuation(entropies: ArrayLike) -> xr.Dataset:
    r"""Return :math:`\langle e^{-s} \rangle`, which is 1 for the total entropy s produced along paths.

    In a stationary state s is the integral of :math:`v_{ss} D^{-1} \circ dx` along the path: for linear forces the
    current of :class:`sgdphys.observers.Currents` with the weight of
    :func:`sgdphys.analysis.entropy_production_weight`. Keep <s> below about 2: the paths with negative s that make the
    average become exponentially rare. Where <exp(-2s)> is infinite, as it can be even for short paths, the standard
    error means little; :func:`sgdphys.analysis.fluctuation_symmetry` tests the same law without large weights.

    Parameters
    ----------
    entropies
        s of each particle, such as ``run["integrated_current"]``.

    Returns
    -------
    xr.Dataset
        ``exponential_entropy`` and ``mean_entropy_production``, each with ``_standard_error``,
        ``integral_fluctuation_z``, the distance of the first from 1 in standard errors, and ``effective_sample_size``.

    Raises
    ------
    ValueError
        The values are no row of numbers, or fewer than two are finite.

    Warns
    -----
    UserWarning
        The average rests on fewer than 100 effective samples, or some values are NaN.

    References
    ----------
    Seifert 2005, Phys. Rev. Lett. 95, 040602.
    """
    values = numbers_of_particles("entropies", entropies)
    average = ExponentialAverage(values)
    warn_of_few(average, "the average of exp(-s)")
    error = average.average * average.relative_error
    return scalars(
        {
            "exponential_entropy": average.average,
            "exponential_entropy_standard_error": error,
            "integral_fluctuation_z": (average.average - 1) / error if error > 0 else math.nan,
            "mean_entropy_production": float(values.mean()),
            "mean_entropy_production_standard_error": _error(values),
            "effective_sample_size": average.effective_sample_size,
        }
    )


def _of_one_run(works: Array, average: ExponentialAverage) -> dict[str, float]:
    mean, variance = float(works.mean()), float(works.var(ddof=1))
    away = works - mean
    with np.errstate(invalid="ignore"):  # an average too large for a float has no error
        weighted = average.average * average.weights
    contributions = {  # of each particle to its estimate: their spread is its error
        "exponential_work": (average.average, weighted),
        "reduced_free_energy_difference": (-average.logarithm, average.weights),
        "second_cumulant_estimate": (mean - variance / 2, away - away**2 / 2),
        "mean_reduced_work": (mean, works),
        "dissipated_work": (mean + average.logarithm, works + average.weights),
    }
    values = {name: value for name, (value, _) in contributions.items()}
    with np.errstate(invalid="ignore"):
        values |= {f"{name}_standard_error": _error(each) for name, (_, each) in contributions.items()}
    effective = average.effective_sample_size
    return values | {
        "effective_sample_size": effective,
        "free_energy_bias": (1 / effective - 1 / len(works)) / 2,
    }


def _of_both(forward: Array, average: ExponentialAverage, reverse: Array) -> dict[str, float]:
    back = ExponentialAverage(reverse)
    warn_of_few(back, "the average of exp(-w) of the reversed run")
    estimate, error = acceptance_ratio(forward, reverse)
    spread = math.hypot(average.relative_error, back.relative_error)
    z = -(average.logarithm + back.logarithm) / spread if spread > 0 else 0.0
    if abs(z) > _SIGNIFICANT:
        warnings.warn(
            f"the two runs tell free-energy differences {abs(z):.3g} standard errors apart, {-average.logarithm:.4g} "
            f"and {back.logarithm:.4g}: one of them did not start stationary, the noise is not D = 1, or the protocols "
            "are not each other's reverse",
            UserWarning,
            stacklevel=3,
        )
    return {
        "acceptance_ratio_estimate": estimate,
        "acceptance_ratio_estimate_standard_error": error,
        "consistency_z": z,
    }


def _error(values: Array) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _warn_of_heating(run: xr.Dataset) -> None:
    """Warn where the temperature rises by a factor of two or more: the variance of exp(-w) may be infinite."""
    known = steps_and_temperatures(run)
    if known is None or np.any(known[1] <= 0):
        return
    temperatures = known[1]
    jump = float(np.max(temperatures[1:] / np.maximum.accumulate(temperatures)[:-1], initial=1.0))
    rise = float(np.max(temperatures / np.minimum.accumulate(temperatures)))
    if jump >= _DOUBLED:
        text = f"the temperature jumps by a factor of {jump:.3g}: the variance of exp(-w) is infinite, because"
    elif rise >= _DOUBLED:
        text = f"the temperature rises by a factor of {rise:.3g}: if fast, the variance of exp(-w) is infinite, because"
    else:
        return
    warnings.warn(
        f"{text} it needs 2/T_1 > 1/T_0, and its standard error means nothing; take the reversed run, which cools, or "
        "heat in smaller parts with rests between them",
        UserWarning,
        stacklevel=3,
    )
