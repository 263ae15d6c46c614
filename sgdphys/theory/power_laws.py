"""Heavy tails of SGD on least squares with noise that grows with the distance from the minimum, on a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.optimize
import scipy.special
import xarray as xr

from sgdphys import schema
from sgdphys.checks import finite_number
from sgdphys.sgd import require_sgd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.sgd import SGD

    Array = NDArray[np.float64]

__all__ = ["kesten_exponent", "mori_second_moment", "plain_stiffness", "tail_exponents"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(400)
_LARGEST_EXPONENT = 1e4


def kesten_exponent(curvature: float, sgd: SGD) -> xr.DataArray:
    r"""Return the tail exponent a, P(\|x\| > r) ~ r^-a, of SGD on least squares with fresh Gaussian features.

    A step is :math:`x \leftarrow (1 - \mathrm{lr}\, h\, c)\, x + \ldots` with the curvature h c of the batch,
    :math:`B c` distributed as chi-squared with B degrees of freedom. Products of random factors make a power law with

    .. math:: \langle |1 - \mathrm{lr}\, h\, c|^a \rangle = 1.

    The variance is finite where a > 2, which is lr h < 2/(1 + 2/B).

    Parameters
    ----------
    curvature
        h, the variance of the feature, in loss/x^2.
    sgd
        Learning rate and batch size; no momentum and no weight decay, sampling with replacement.

    Returns
    -------
    xr.DataArray
        The exponent, zero-dimensional; the attribute ``standard_error`` is 0.

    Raises
    ------
    ValueError
        The curvature is not positive, the settings have more than learning rate and batch size, there is no stationary
        state, or the exponent is above 10,000.

    References
    ----------
    Kesten 1973 (Acta Math. 131, 207); Gurbuzbalaban, Simsekli, Zhu 2021 (arXiv 2006.04740) for SGD.
    """
    stiffness = plain_stiffness(curvature, sgd)
    high = 1.0
    while _log_moment(high, stiffness, sgd.batch_size) <= 0:
        high *= 2
        if high > _LARGEST_EXPONENT:
            raise ValueError(f"the tail exponent is above {_LARGEST_EXPONENT:g}: the tail is out of reach of any run")
    low = high / 2
    while _log_moment(low, stiffness, sgd.batch_size) >= 0:
        low /= 2
        if low < 1e-6:
            raise ValueError(f"lr * curvature = {stiffness:.6g} has no stationary state; use a smaller lr")
    exponent = scipy.optimize.brentq(_log_moment, low, high, args=(stiffness, sgd.batch_size), xtol=1e-13)
    return _number("kesten_exponent", float(exponent))


def tail_exponents(curvature: float, sgd: SGD) -> xr.Dataset:
    r"""Return three tail exponents a, P(\|x\| > r) ~ r^-a, of the same least squares on a line.

    Parameters
    ----------
    curvature
        h, the variance of the Gaussian feature, in loss/x^2.
    sgd
        Learning rate and batch size; no momentum and no weight decay, sampling with replacement.

    Returns
    -------
    xr.Dataset
        ``kesten_exponent`` of SGD itself; ``gaussian_sde_exponent`` 1 + B/(lr h) of the stochastic differential
        equation with its exact covariance (2 h^2 x^2 + s2 h)/B; ``mori_sde_exponent`` 1 + 2 B/(lr h) of the equation
        with the covariance 2 h f(x)/B, where the stationary density falls as a power
        ``loss_exponent`` 1 + B/(lr h) of the loss.

    Raises
    ------
    ValueError
        What :func:`kesten_exponent` refuses.

    References
    ----------
    Mori, Ziyin, Liu, Ueda 2022 (arXiv 2105.09557), for the power of the loss.
    """
    stiffness = plain_stiffness(curvature, sgd)
    ratio = sgd.batch_size / stiffness
    exponents = {
        "kesten_exponent": kesten_exponent(curvature, sgd).item(),
        "gaussian_sde_exponent": 1 + ratio,
        "mori_sde_exponent": 1 + 2 * ratio,
        "loss_exponent": 1 + ratio,
    }
    return xr.Dataset({name: ((), value, schema.describe(name)) for name, value in exponents.items()})


def mori_second_moment(
    curvature: float, minimum_loss: float, sgd: SGD, mode: Literal["sde", "discrete"] = "sde"
) -> xr.DataArray:
    r"""Return the stationary second moment where the gradient covariance is 2 h f(x), on a parabola.

    With :math:`f = L_* + h x^2/2`

    .. math:: \langle x^2 \rangle = \frac{\mathrm{lr}\, L_*}{B (1 - \mathrm{lr}\, h/(2B))}, \qquad
        \text{and} \qquad \frac{\mathrm{lr}\, L_*}{B (1 - \mathrm{lr}\, h/2 - \mathrm{lr}\, h/(2B))}

    for the stochastic differential equation and for its Euler steps of time lr, which is SGD with such noise.

    Parameters
    ----------
    curvature
        h, in loss/x^2.
    minimum_loss
        L* of the minimum, in loss.
    sgd
        Learning rate and batch size; no momentum and no weight decay, sampling with replacement.
    mode
        ``"sde"`` or ``"discrete"``.

    Returns
    -------
    xr.DataArray
        The moment, zero-dimensional, in x^2; the attribute ``standard_error`` is 0.

    Raises
    ------
    ValueError
        A number is not positive, the mode is unknown, or the moment is infinite.

    References
    ----------
    Mori, Ziyin, Liu, Ueda 2022 (arXiv 2105.09557), for this noise.
    """
    stiffness = plain_stiffness(curvature, sgd)
    loss = finite_number("minimum_loss", minimum_loss, sign="positive")
    if mode not in {"sde", "discrete"}:
        raise ValueError(f"mode must be 'sde' or 'discrete', got {mode!r}")
    rest = 1 - stiffness / (2 * sgd.batch_size) - (stiffness / 2 if mode == "discrete" else 0.0)
    if rest <= 0:
        raise ValueError(f"the second moment is infinite at lr * curvature = {stiffness:.6g}; use a smaller lr")
    return _number("stationary_second_moment", sgd.lr * loss / (sgd.batch_size * rest))


def plain_stiffness(curvature: float, sgd: SGD) -> float:
    """Return lr h of settings that are a learning rate and a batch size.

    Returns
    -------
    float
        lr h, without unit.

    Raises
    ------
    ValueError
        They have more, or h is not positive.
    """
    require_sgd(sgd)
    if sgd.momentum or sgd.weight_decay or sgd.sampling != "replacement":
        raise ValueError("power laws are known for SGD without momentum and weight decay, sampling with replacement")
    return sgd.lr * finite_number("curvature", curvature, sign="positive")


def _log_moment(exponent: float, stiffness: float, batch_size: int) -> float:
    """Return log <|1 - lr h c|^a>, with c = y^2 / B and y the radius of B normals."""
    zero = np.sqrt(batch_size / stiffness)  # where the factor vanishes
    edges = [0.0, float(zero)]
    peak = _log_integrand(np.linspace(0, zero, 200)[1:-1], exponent, stiffness, batch_size).max()
    step = max(0.25, 0.01 * float(zero))
    while True:  # on to where the integrand is e^-60 below its maximum and falls
        edges.append(edges[-1] + step)
        height = float(_log_integrand(np.array([edges[-1]]), exponent, stiffness, batch_size)[0])
        if height < peak - 60 and edges[-1] ** 2 > batch_size + exponent:
            break
        peak, step = max(peak, height), 1.5 * step
    half = np.diff(edges)[:, None] / 2
    points = np.array(edges[:-1])[:, None] + half * (1 + _NODES)
    values = np.exp(_log_integrand(points, exponent, stiffness, batch_size) - peak)
    norm = (1 - batch_size / 2) * np.log(2) - scipy.special.gammaln(batch_size / 2)
    return float(np.log(np.sum(half * values * _WEIGHTS)) + peak + norm)


def _log_integrand(y: Array, exponent: float, stiffness: float, batch_size: int) -> Array:
    factor = np.abs(1 - stiffness * y**2 / batch_size)
    with np.errstate(divide="ignore"):
        return np.asarray(exponent * np.log(factor) + (batch_size - 1) * np.log(y) - y**2 / 2)


def _number(name: str, value: float) -> xr.DataArray:
    return xr.DataArray(value, name=name, attrs={**schema.describe(name), "standard_error": 0.0})
