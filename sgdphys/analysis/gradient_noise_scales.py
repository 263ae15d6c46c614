"""Batch sizes at which gradient noise and mean gradient balance, and the largest step that pays, with intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.stats import t as student

from sgdphys import schema
from sgdphys.analysis.gradient_noise_moments import (
    GramMoments,
    checked_gram,
    checked_population,
    gram_moments,
    jackknife_covariance,
    open_share,
    variance_of_squared_mean,
)
from sgdphys.checks import finite_number, number_array

if TYPE_CHECKING:
    from sgdphys.protocols import Array

__all__ = ["fastest_step", "noise_scale"]


def noise_scale(
    gram: Any, n_population: int | None = None, level: float = 0.95, curvature_gram: Any = None
) -> xr.Dataset:
    r"""Return the gradient noise scale, the batch size at which noise and mean gradient balance, with its interval.

    .. math:: B_\mathrm{simple} = \frac{\mathrm{tr}\, C}{|G|^2},\qquad
              B_\mathrm{noise} = \frac{\mathrm{tr}(H C)}{G' H G}

    Numerator and denominator are estimated without bias (:func:`noise_moments`; the second pair likewise, from
    G H G'). Their ratio R = a/b is not without bias: to leading order it is high by
    :math:`R\,(\mathrm{Var}\,b / b^2 - \mathrm{Cov}(a, b) / (a b))`, 4 percent where |G|^2 is known to 20 percent. The
    Dataset holds this bias and does not subtract it; average |G|^2 and tr C over runs, not their ratio. The interval is
    Fieller's, with the ratios r for which a - r b differs from 0 by less than Student's quantile with n - 1 degrees of
    freedom in standard errors. These are the ones that belong to r: the variance of b is 4 G'CG/n + 2 tr C^2/(n (n -
    1)) with |G|^2 = a/r in its first part. (With those of the estimate an interval of 95 percent covers 88.) Where
    |G|^2 does not differ from 0 by as much, no upper end exists: the scale is NaN, ``_resolved`` False, the upper end
    infinite, and the lower end still holds.

    Parameters
    ----------
    gram
        Scalar products g_i . g_j (n, n) of the gradients of n >= 4 samples, in loss^2/x^2; raw, not centred.
    n_population
        Number N >= n of samples in the data set that the n were drawn from without replacement; None: a distribution.
    level
        Probability that the interval covers the scale, between 0 and 1.
    curvature_gram
        g_i' H g_j (n, n) with the Hessian H, in loss^3/x^4, for the scale weighted by curvature. H may be indefinite;
        the scale has its meaning where tr(HC) and G'HG are positive.

    Returns
    -------
    xr.Dataset
        ``simple_noise_scale``, with ``_standard_error`` (delta method), ``_bias``, ``_low``, ``_high`` and
        ``_resolved``; with ``curvature_gram`` the same of ``curvature_noise_scale``. ``critical_batch_size`` is the
        last of the two: the batch size at which a step of the best length gains half of what the full gradient's
        would, and at which steps and samples cost twice their least.

    Raises
    ------
    ValueError
        A matrix is not square, symmetric and finite, has fewer than 4 rows, the two differ in shape, ``n_population``
        is no whole number from n on, or ``level`` does not lie between 0 and 1.

    References
    ----------
    McCandlish et al. 2018, arXiv:1812.06162, eqs. 2.8 and 2.9; Fieller 1954, J. R. Stat. Soc. B 16, 175.
    """
    products, curved, population = _checked(gram, curvature_gram, n_population)
    level = finite_number("level", level)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level:g}")
    values = _scale("simple_noise_scale", products, population, level)
    critical = "simple_noise_scale"
    if curved is not None:
        critical = "curvature_noise_scale"
        values |= _scale(critical, curved, population, level)
    values["critical_batch_size"] = values[critical]
    variables = {name: ((), np.asarray(value), schema.describe(name)) for name, value in values.items()}
    attributes = {"n_samples": len(products), "n_population": population or "infinite", "level": level}
    return xr.Dataset(variables, attrs=attributes | {"critical_batch_size_from": critical})


def fastest_step(gram: Any, curvature_gram: Any, batch_size: Any, n_population: int | None = None) -> xr.Dataset:
    r"""Return the learning rate whose single step lowers a quadratic loss most on average, and by how much it does.

    .. math:: \epsilon(B) = \frac{|G|^2}{G'HG + \mathrm{tr}(HC)/B}
              = \frac{\epsilon_\mathrm{max}}{1 + B_\mathrm{noise}/B},\qquad
              \Delta L(B) = \frac{|G|^4 / 2}{G'HG + \mathrm{tr}(HC)/B}

    for batches of B samples drawn with replacement; an infinite B is the full gradient. Numerators and denominators
    are ratios of estimates without bias, as in :func:`noise_scale`, and have a bias of relative order Var/mean^2.

    Parameters
    ----------
    gram
        Scalar products g_i . g_j (n, n) of the gradients of n >= 4 samples, in loss^2/x^2; raw, not centred.
    curvature_gram
        g_i' H g_j (n, n) with the Hessian H, in loss^3/x^4.
    batch_size
        A batch size or several, positive; ``inf`` is allowed.
    n_population
        Number N >= n of samples in the data set that the n were drawn from without replacement; None: a distribution.

    Returns
    -------
    xr.Dataset
        ``fastest_lr`` and ``largest_loss_decrease`` over ``batch_size``, with ``_standard_error`` by the jackknife. NaN
        where the estimate of |G|^2 or of the curvature along the step is not positive.

    Raises
    ------
    ValueError
        A matrix is not square, symmetric and finite, has fewer than 4 rows, the two differ in shape, ``n_population``
        is no whole number from n on, or a batch size is not positive.

    References
    ----------
    McCandlish et al. 2018, arXiv:1812.06162, eqs. 2.6 and 2.7.
    """
    products, curved, population = _checked(gram, curvature_gram, n_population)
    if curved is None:
        raise ValueError("curvature_gram must hold g_i' H g_j, got None")
    sizes = np.atleast_1d(number_array("batch_size", batch_size))
    if sizes.ndim != 1 or not (sizes > 0).all():
        raise ValueError(f"batch_size must be positive numbers in one list, got {batch_size!s:.60}")
    (length, lengths), (curvature, curvatures) = (gram_moments(matrix, population) for matrix in (products, curved))
    share = open_share(len(products), population)
    values, left_out = _steps(length, curvature, sizes[:, None]), _steps(lengths, curvatures, sizes[:, None])
    variables: dict[str, Any] = {}
    for name, value, others in zip(("fastest_lr", "largest_loss_decrease"), values, left_out, strict=True):
        spreads = [math.sqrt(jackknife_covariance(row, row, share)) if share else 0.0 for row in others]
        error = np.where(np.isfinite(value[:, 0]), spreads, np.nan)
        variables[name] = (schema.BATCH_SIZE, value[:, 0], schema.describe(name))
        twin = f"{name}_standard_error"
        variables[twin] = (schema.BATCH_SIZE, error, schema.describe(twin))
    return xr.Dataset(variables, {schema.BATCH_SIZE: sizes}, {"n_samples": len(products)})


def _steps(length: GramMoments, curvature: GramMoments, sizes: Array) -> tuple[Array, Array]:
    along = curvature.squared_mean + curvature.trace / sizes
    known = (length.squared_mean > 0) & (along > 0)
    rate = np.where(known, length.squared_mean / np.where(known, along, 1.0), np.nan)
    return rate, rate * length.squared_mean / 2


def _checked(gram: Any, curvature_gram: Any, n_population: Any) -> tuple[Array, Array | None, int | None]:
    products = checked_gram("gram", gram, squares=True)
    curved = None if curvature_gram is None else checked_gram("curvature_gram", curvature_gram)
    if curved is not None and curved.shape != products.shape:
        raise ValueError(f"gram and curvature_gram must be of the same samples, got {products.shape}, {curved.shape}")
    return products, curved, checked_population(n_population, len(products))


def _scale(name: str, gram: Array, population: int | None, level: float) -> dict[str, float | bool]:
    """Return tr C/|G|^2 of a Gram matrix with its error, bias, interval and whether the denominator is resolved."""
    moments, left_out = gram_moments(gram, population)
    share = open_share(len(gram), population)
    above, below = float(moments.trace), float(moments.squared_mean)
    variance = jackknife_covariance(left_out.trace, left_out.trace, share)
    both = jackknife_covariance(left_out.trace, left_out.squared_mean, share)
    quantile = float(student.ppf((1 + level) / 2, len(gram) - 1))
    slope, floor = _variance_line(gram, moments, share)
    resolved = below > quantile * math.sqrt(floor)
    low, high = _ends((above, max(below, 0.0)), quantile**2 * np.array([variance, both - above * slope / 2, floor]))
    ratio = above / below if resolved else math.nan
    error, bias = _spread_of_ratio(above, below, (variance, both, variance_of_squared_mean(gram, population)))
    return {
        name: ratio,
        f"{name}_standard_error": error if resolved else math.nan,
        f"{name}_bias": bias if resolved else math.nan,
        f"{name}_low": low,
        f"{name}_high": high if resolved else math.inf,
        f"{name}_resolved": bool(resolved),
    }


def _variance_line(gram: Array, moments: GramMoments, share: float) -> tuple[float, float]:
    """Return s = 4 G'CG/(n |G|^2) and v = 2 tr C^2/(n (n - 1)): Var = s |G|^2 + v for any |G| in that direction."""
    n = len(gram)
    along = gram.mean(axis=1) - gram.mean()
    per_square = float(along @ along) / (n - 1) / abs(float(gram.mean())) if gram.mean() else 0.0
    floor = 2 * share**2 * max(float(moments.trace_of_square), 0.0) / (n * (n - 1))
    return 4 * share * per_square / n, floor


def _ends(estimates: tuple[float, float], widths: Array) -> tuple[float, float]:
    """Return the two ratios r with (a - r b)^2 = w0 - 2 r w1 + r^2 w2; infinite above where b^2 < w2."""
    above, below = estimates
    square, middle, constant = below**2 - widths[2], above * below - widths[1], above**2 - widths[0]
    root = math.sqrt(max(middle**2 - square * constant, 0.0))
    if square > 0:
        low = (middle - root) / square
        return low if above < 0 else max(low, 0.0), (middle + root) / square
    return (max(constant / (middle + root), 0.0) if middle + root > 0 else 0.0), math.inf


def _spread_of_ratio(above: float, below: float, variances: tuple[float, float, float]) -> tuple[float, float]:
    """Return standard error and leading bias of a/b from Var a, Cov(a, b) and Var b."""
    if not below:
        return math.nan, math.nan
    ratio = above / below
    first, mixed, second = variances[0] / below**2, ratio * variances[1] / below**2, ratio**2 * variances[2] / below**2
    return math.sqrt(max(first - 2 * mixed + second, 0.0)), (ratio * variances[2] - variances[1]) / below**2
