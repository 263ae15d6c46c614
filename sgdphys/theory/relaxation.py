"""How fast SGD on a quadratic loss relaxes, and the largest learning rate at which it does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.optimize
import xarray as xr

from sgdphys import schema
from sgdphys.sgd import require_sgd
from sgdphys.theory.linear_maps import kick_factors, refuse_flat, step_roots, stiffness_limit, symmetric_matrix
from sgdphys.theory.minibatch_noise import distance_operator, second_moment_radius

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = ["relaxation_spectrum", "stability_limit", "stationary_displacement"]


def relaxation_spectrum(hessian: ArrayLike, sgd: SGD) -> xr.Dataset:
    r"""Return how the mean of SGD on a quadratic loss relaxes: two eigenvalues of the step for each of the Hessian.

    For torch's heavy ball the eigenvalues of a step solve :math:`z^2 - (1 + \mu - \mathrm{lr}\, h) z + \mu = 0`. The
    mean oscillates where they are complex, :math:`\mathrm{lr}\, h > (1 - \sqrt\mu)^2`, by the angle
    :math:`\arccos \frac{1 + \mu - \mathrm{lr}\, h}{2 \sqrt\mu}` in a step, and shrinks by :math:`\sqrt\mu`. Nesterov's
    momentum and dampening have their own equations, solved alike.

    Parameters
    ----------
    hessian
        H (d, d), symmetric, of the loss with weight decay included, in loss/x^2.
    sgd
        Learning rate, momentum, dampening, Nesterov.

    Returns
    -------
    xr.Dataset
        Over ``mode``: ``eigenvalue`` h in falling order, and ``continuous_rate``
        h ``sgd.effective_lr / sgd.lr`` of the stochastic differential equation. Over (mode, root), the slower root
        first: ``step_eigenvalue`` z, complex; ``damping_per_step`` \|z\|; ``angle_per_step`` \|arg z\|, pi where
        the sign alternates; ``relaxation_rate`` -log\|z\|/lr, negative where the mean grows and infinite for the root
        0 that plain SGD has. ``spectral_radius`` of the whole step.

    Raises
    ------
    ValueError
        The Hessian is not a finite symmetric matrix.

    References
    ----------
    Polyak 1964 (heavy ball); Kunin et al. 2021 (arXiv 2107.09133) for its oscillations in SGD.
    """
    require_sgd(sgd)
    curvatures = np.asarray(np.linalg.eigvalsh(symmetric_matrix("hessian", hessian))[::-1], dtype=np.float64)
    roots = step_roots(curvatures, sgd)
    sizes = np.abs(roots)
    with np.errstate(divide="ignore"):
        rates = -np.log(sizes) / sgd.lr
    over_roots = {
        "step_eigenvalue": roots,
        "damping_per_step": sizes,
        "angle_per_step": np.abs(np.angle(roots)),
        "relaxation_rate": rates,
    }
    over_modes = {"eigenvalue": curvatures, "continuous_rate": curvatures * sgd.effective_lr / sgd.lr}
    return xr.Dataset(
        {name: ((schema.MODE, "root"), values, schema.describe(name)) for name, values in over_roots.items()}
        | {name: (schema.MODE, values, schema.describe(name)) for name, values in over_modes.items()}
        | {"spectral_radius": ((), float(sizes.max()), schema.describe("spectral_radius"))}
    )


def stability_limit(hessian: ArrayLike, sgd: SGD, *, inputs: ArrayLike | str | None = None) -> xr.Dataset:
    r"""Return the learning rate above which SGD on a quadratic loss does not settle.

    The mean settles where lr times the largest eigenvalue of H is below 2 (1 + mu), with dampening tau below
    2 (1 + mu) / (1 - tau), with Nesterov's momentum below 2 (1 + mu) / (1 + 2 mu). With the noise of least squares,
    which grows with the distance from the minimum, the variance is finite only below a smaller learning rate; for
    Gaussian features in one coordinate without momentum, lr h < 2 / (1 + 2/B).

    Parameters
    ----------
    hessian
        H (d, d), symmetric, of the loss with weight decay included, in loss/x^2.
    sgd
        Momentum, dampening, Nesterov, batch size, sampling; its own learning rate does not matter.
    inputs
        Features of least squares, (sample, d) or ``"gaussian"``, as in :func:`stationary_covariance`.

    Returns
    -------
    xr.Dataset
        ``largest_lr`` by the mean, and with ``inputs`` also ``largest_lr_of_finite_variance``, in x^2/loss. Both are
        the edge itself, which is already outside.

    Raises
    ------
    ValueError
        The Hessian has an eigenvalue that is not positive, or ``inputs`` do not belong to it.

    References
    ----------
    Liu, Ziyin, Ueda 2021 (arXiv 2012.03636).
    """
    require_sgd(sgd)
    H = symmetric_matrix("hessian", hessian)
    values, V = np.linalg.eigh(H)
    curvatures = np.asarray(values, dtype=np.float64)
    refuse_flat(curvatures)
    numbers = {"largest_lr": stiffness_limit(sgd)[0] / float(curvatures[-1])}
    if inputs is not None:
        K = distance_operator(inputs, H, sgd, V)
        numbers["largest_lr_of_finite_variance"] = _finite_variance(curvatures, K, sgd, numbers["largest_lr"])
    return xr.Dataset({name: ((), number, schema.describe(name)) for name, number in numbers.items()})


def stationary_displacement(curvatures: ArrayLike, variances: ArrayLike, times: ArrayLike) -> xr.DataArray:
    r"""Return the mean squared displacement of the stochastic differential equation in its stationary state.

    .. math:: \langle |x(t) - x(0)|^2 \rangle = 2 \sum_i s_i \left( 1 - e^{-h_i t} \right)

    Many curvatures, falling as :math:`h_i = i^{-a}` with a > 1, and equal variances T make it grow anomalously, as
    :math:`2 T\, \Gamma(1 - 1/a)\, t^{1/a}`, until t reaches the slowest of them.

    Parameters
    ----------
    curvatures
        h_i, (mode,), not negative, in loss/x^2; without momentum, else the rates of :func:`relaxation_spectrum`.
    variances
        s_i of each mode in the stationary state, scalar or (mode,), in x^2.
    times
        Time lags t, (time,), in x^2/loss.

    Returns
    -------
    xr.DataArray
        The displacement (time), in x^2.

    Raises
    ------
    ValueError
        A value is negative or not finite, or the shapes do not fit.

    References
    ----------
    Kunin et al. 2021 (arXiv 2107.09133), for anomalous diffusion of SGD.
    """
    h, t = (np.atleast_1d(np.asarray(values, dtype=float)) for values in (curvatures, times))
    for name, values in (("curvatures", h), ("variances", np.asarray(variances, dtype=float)), ("times", t)):
        if values.ndim > 1 or not (np.all(np.isfinite(values)) and np.all(values >= 0)):
            raise ValueError(f"{name} must be finite and not negative, in one dimension")
    s = np.broadcast_to(np.asarray(variances, dtype=float), h.shape)
    displacements = [-2 * float(s @ np.expm1(-h * lag)) for lag in t]
    attributes = schema.describe("stationary_displacement")
    return xr.DataArray(displacements, {schema.TIME: t}, (schema.TIME,), "stationary_displacement", attributes)


def _finite_variance(curvatures: Matrix, K: Matrix, sgd: SGD, largest_lr: float) -> float:
    noise = sgd.sampling_factor / sgd.batch_size

    def excess(lr: float) -> float:
        return second_moment_radius(K, noise * kick_factors(curvatures, replace(sgd, lr=lr))[0]) - 1

    top = largest_lr * (1 - 1e-9)
    if excess(top) < 0:
        return largest_lr
    return float(scipy.optimize.brentq(excess, 1e-9 * largest_lr, top, xtol=1e-12 * largest_lr))
