"""How many steps SGD needs until the variance along a curved direction is stationary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import finite_number, number_array
from sgdphys.theory import relaxation_spectrum

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.sgd import SGD

__all__ = ["equilibration"]


def equilibration(curvatures: ArrayLike, sgd: SGD, *, accuracy: float = 0.01) -> xr.Dataset:
    r"""Return the time in which SGD forgets its start along directions of given curvature.

    The mean along an eigenvector of curvature h shrinks by |z| in a step, with z the slower eigenvalue of the step
    (:func:`sgdphys.theory.relaxation_spectrum`), which is about :math:`e^{-\mathrm{lr_{eff}} h}`; what a variance is
    short of its stationary value shrinks by |z|^2. From a start in one point it is within ``accuracy`` of that value
    after

    .. math:: \frac{\ln \mathrm{accuracy}}{2 \ln |z|} \approx \frac{\ln (1/\mathrm{accuracy})}{2\,\mathrm{lr_{eff}}\, h}

    steps.

    Parameters
    ----------
    curvatures
        Eigenvalues h of the Hessian, (mode,), in loss/x^2.
    sgd
        Learning rate, momentum and its form.
    accuracy
        Relative difference from the stationary variance, between 0 and 1.

    Returns
    -------
    xr.Dataset
        Over ``mode``, in falling order of the curvature: ``eigenvalue`` h, ``relaxation_steps`` -1/ln|z| of the mean
        and ``equilibration_steps`` of the variance; infinite where the mean does not settle. And
        ``slowest_equilibration_steps``.

    Raises
    ------
    ValueError
        The curvatures are no finite numbers in one dimension, or the accuracy is out of range.
    """
    h = np.atleast_1d(number_array("curvatures", curvatures))
    if h.ndim != 1 or not h.size or not np.isfinite(h).all():
        raise ValueError(f"curvatures must be finite numbers in one dimension, got shape {h.shape}")
    if not 0 < finite_number("accuracy", accuracy) < 1:
        raise ValueError(f"accuracy must lie between 0 and 1, got {accuracy}")
    spectrum = relaxation_spectrum(np.diag(h), sgd)
    damping = np.minimum(spectrum["damping_per_step"].values[:, 0], 1.0)
    with np.errstate(divide="ignore"):
        steps = -1 / np.log(damping)
    steps = np.where(damping == 0, 0.0, np.where(damping == 1, np.inf, np.abs(steps)))
    variance = 0.5 * np.log(1 / accuracy) * steps
    over_modes = {
        "eigenvalue": spectrum["eigenvalue"].values,
        "relaxation_steps": steps,
        "equilibration_steps": variance,
    }
    variables = {name: (schema.MODE, values, schema.describe(name)) for name, values in over_modes.items()}
    slowest = ((), float(variance.max()), schema.describe("slowest_equilibration_steps"))
    return xr.Dataset(variables | {"slowest_equilibration_steps": slowest}, attrs={"accuracy": float(accuracy)})
