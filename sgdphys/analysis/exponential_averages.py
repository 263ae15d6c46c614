"""Averages of exp(-w), their error, and how many samples they rest on."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from sgdphys import schema
from sgdphys.analysis.frames import check_dataset
from sgdphys.checks import number_array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sgdphys.protocols import Array

__all__ = ["ExponentialAverage", "numbers_of_particles", "reduced_works", "scalars", "warn_of_few"]

FEWEST = 100  # effective samples below which an exponential average means little


@dataclass(frozen=True)
class ExponentialAverage:
    r"""The average of :math:`e^{-w}` over particles, kept as a logarithm so that it neither over- nor underflows.

    Parameters
    ----------
    values
        w of each particle, finite.
    """

    values: Array

    @property
    def logarithm(self) -> float:
        """The logarithm of the average."""
        return float(logsumexp(-self.values)) - math.log(len(self.values))

    @property
    def average(self) -> float:
        """The average; infinite where it is too large for a float."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.logarithm))

    @property
    def weights(self) -> Array:
        """The weights exp(-w) over their average, shape (particle,)."""
        return np.asarray(np.exp(-self.values - self.logarithm))

    @property
    def relative_error(self) -> float:
        """Standard error of the average over the average: that of its logarithm too."""
        return float(self.weights.std(ddof=1)) / math.sqrt(len(self.values))

    @property
    def effective_sample_size(self) -> float:
        r"""Effective number of samples :math:`(\sum e^{-w})^2 / \sum e^{-2w}` (Kish 1965)."""
        return float(len(self.values) ** 2 / np.sum(self.weights**2))


def reduced_works(run: xr.Dataset, name: str) -> Array:
    """Return the reduced work of each particle that was not lost, shape (particle,).

    Parameters
    ----------
    run
        A run with :class:`sgdphys.observers.Work`, or what :func:`sgdphys.analysis.path_work` returned.
    name
        Name of the observer.

    Returns
    -------
    Array
        Finite numbers.

    Raises
    ------
    ValueError
        The Dataset has none, a temperature was 0, or fewer than two particles are left.

    Warns
    -----
    UserWarning
        Some particles left for infinity.
    """
    check_dataset(run)
    variable = f"{name}_reduced_work" if name else "reduced_work"
    if variable not in run:
        raise ValueError(
            f"the Dataset has no {variable}: run simulate with observers=[observers.Work()] (and its name= as name=), "
            "or compute it from a cloud of every step with analysis.path_work"
        )
    values = number_array(variable, run[variable].values)
    done = number_array("work", run.get(variable.replace("reduced_", ""), run[variable]).values)
    if np.any(~np.isfinite(values) & np.isfinite(done)):
        raise ValueError(
            f"{variable} is not finite where the work is: the temperature reaches 0, where f/T has no meaning; let the "
            "temperature end above 0"
        )
    return numbers_of_particles(variable, values, stacklevel=4)


def numbers_of_particles(name: str, values: Any, *, stacklevel: int = 3) -> Array:
    """Return the finite ones of the particles' values; at least two must be, and NaN is warned of.

    Parameters
    ----------
    name
        What messages call them.
    values
        A number of each particle; NaN of those that were lost.
    stacklevel
        How many calls above this one the user's is, for the warning.

    Returns
    -------
    Array
        Shape (particle,), finite.

    Raises
    ------
    ValueError
        They are no row of numbers, one is infinite, or fewer than two are finite.

    Warns
    -----
    UserWarning
        Some are NaN.
    """
    try:
        numbers = number_array(name, values)
    except ValueError:
        raise ValueError(f"{name} must be a number of each particle, got {type(values).__name__}") from None
    if numbers.ndim != 1:
        raise ValueError(f"{name} must be a number of each particle, got the shape {numbers.shape}")
    if np.any(np.isinf(numbers)):
        raise ValueError(f"{name} of {np.isinf(numbers).sum()} particles is infinite; use a smaller step or more noise")
    finite = numbers[np.isfinite(numbers)]
    if len(finite) < 2:
        raise ValueError(f"{name} of at least 2 particles must be finite, got {len(finite)} of {len(numbers)}")
    if len(finite) < len(numbers):
        warnings.warn(
            f"{name} of {len(numbers) - len(finite)} of {len(numbers)} particles is NaN, they left for infinity: "
            "averages without them do not obey the theorems; use a smaller step",
            UserWarning,
            stacklevel=stacklevel,
        )
    return finite


def warn_of_few(average: ExponentialAverage, what: str) -> None:
    """Warn where an average rests on fewer than 100 effective samples."""
    effective = average.effective_sample_size
    if effective < FEWEST:
        warnings.warn(
            f"{what} rests on {effective:.3g} effective samples of {len(average.values)}: neither it nor its standard "
            "error can be trusted; use more particles, a slower protocol or a shorter time",
            UserWarning,
            stacklevel=3,
        )


def scalars(values: Mapping[str, float], attributes: Mapping[str, Any] | None = None) -> xr.Dataset:
    """Return a Dataset of zero-dimensional schema variables."""
    variables = {name: ((), np.array(value), schema.describe(name)) for name, value in values.items()}
    return xr.Dataset(variables, attrs=dict(attributes or {}))
