"""Escape over a barrier: mean times of first passage on a line by quadrature, and Kramers' rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import finite_number, number_array
from sgdphys.theory.barriers import first_correction, reversible_barrier
from sgdphys.theory.passage_quadrature import check_parts, line_process, passage_time, share_of_noise

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.protocols import Landscape, Noise
    from sgdphys.theory.passage_quadrature import Interpretation

    Array = NDArray[np.float64]

__all__ = ["kramers_rate", "mean_first_passage_time"]

_NEAR = 0.02  # of the way from minimum to saddle, what a point may be off its place


def mean_first_passage_time(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float,
    start: float,
    target: float,
    interpretation: Interpretation | None = None,
    wall: float | None = None,
) -> xr.DataArray:
    r"""Return the mean time in which a particle on a line first comes from one point to another, by quadrature.

    For a target on the right

    .. math:: \tau = \int_{x_0}^{b} \frac{e^{\Psi(y)}}{T D(y)} \int_{-\infty}^{y} e^{-\Psi(z)}\, dz\, dy, \qquad
        \Psi(x) = \int^x \frac{f'}{T D} + \kappa \ln D(x),

    with :math:`\kappa` = 1 (Ito), 1/2 (Stratonovich) or 0 (Haenggi-Klimontovich); :math:`e^{-\Psi}` is the stationary
    density. The integrals are refined until they no longer change by 1e-9 (1e-6 at worst).

    Parameters
    ----------
    landscape
        A landscape of one coordinate; only its ``gradient`` is read.
    noise
        An object with ``diffusion``; None for D = 1.
    temperature
        T, in x^2/loss.
    start, target
        Points, in x; the target may lie on either side.
    interpretation
        How the noise is read; None for the noise's own, which is Ito if it does not say.
    wall
        Where the line is closed on the far side, a reflecting point in x; None for a landscape that rises there.

    Returns
    -------
    xr.DataArray
        The time, zero-dimensional, in x^2/loss; the attribute ``standard_error`` is 0, for nothing was sampled.

    Raises
    ------
    ValueError
        The landscape has more coordinates or changes in time, a number is not finite, the diffusion is not positive,
        the landscape does not rise beyond the start and no wall was given, or the time is too long for a number.

    References
    ----------
    Gardiner, Handbook of Stochastic Methods (section 5.2.7); Pontryagin, Andronov, Vitt 1933.
    """
    T = finite_number("temperature", temperature, sign="positive")
    process = line_process(landscape, noise, T, interpretation)
    first, last = finite_number("start", start), finite_number("target", target)
    closed = None if wall is None else finite_number("wall", wall)
    if closed is not None and (first - closed) * (last - first) < 0:
        raise ValueError(f"wall={closed:g} must not lie between start={first:g} and target={last:g} or beyond it")
    return _number("mean_first_passage_time", passage_time(process, first, last, closed))


def kramers_rate(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    temperature: float,
    minimum: ArrayLike,
    saddle: ArrayLike,
    interpretation: Interpretation | None = None,
    order: Literal[0, 1] = 0,
) -> xr.DataArray:
    r"""Return Kramers' rate of escape from a minimum over a saddle, the limit of low temperature.

    On a line, with curvatures h at minimum a and top s of the barrier,

    .. math:: k = \frac{\sqrt{h_a |h_s|}}{2\pi} \left(\frac{D_a}{D_s}\right)^{\kappa - 1/2} e^{-\psi}, \qquad
        \psi = \int_a^s \frac{f'}{T D},

    with :math:`\kappa` = 1 (Ito), 1/2 (Stratonovich) or 0 (Haenggi-Klimontovich). For D = T-independent and
    proportional to the curvature, Ito's mean time is :math:`2\pi e^\psi / h_a`. In several coordinates the rate is
    Eyring's and Kramers',

    .. math:: k = \frac{|\lambda_s|}{2\pi} \sqrt{\frac{\det H_a}{|\det H_s|}}\, e^{-\psi}, \qquad
        \psi = \frac1T \int_a^s \nabla f \cdot D^{-1} dx,

    with the falling curvature :math:`\lambda_s`, where the noise is constant and reversible: H(x) D = D H(x) on the
    straight way from a to s and at points beside it. Isotropic noise always is, and so is noise along the
    axes of a loss that is a sum over them. Any other noise drives a current, and its barrier has no closed form.

    Corrections are of order T: at a barrier of 2.5 T in the double well the rate is 10 % off. On a line the first one
    is known. With the derivatives :math:`\phi_k` of :math:`\int f'/D` and :math:`g_k` of :math:`g = D^{-\kappa}` at
    the minimum, and with :math:`-\phi` and :math:`g = D^{\kappa - 1}` in their places at the top, k is multiplied by
    :math:`1 - T (c_a + c_s)`,

    .. math:: c = \frac{5 \phi_3^2}{24 \phi_2^3} - \frac{\phi_4}{8 \phi_2^2}
        - \frac{\phi_3 g_1}{2 \phi_2^2 g} + \frac{g_2}{2 \phi_2 g};

    in the double well that is 1 - 3T/2.

    Parameters
    ----------
    landscape
        With ``gradient`` and ``hessian``.
    noise
        An object with ``diffusion``; None for D = 1.
    temperature
        T, in x^2/loss.
    minimum, saddle
        The points, scalar or (coordinate,), in x.
    interpretation
        How the noise is read; None for the noise's own, which is Ito if it does not say.
    order
        0 for the limit itself, 1 for its first correction, on a line only.

    Returns
    -------
    xr.DataArray
        The rate, zero-dimensional, per time in loss/x^2; the attribute ``standard_error`` is 0.

    Raises
    ------
    ValueError
        The curvatures are not those of a minimum and a saddle with one falling direction, the gradient does not vanish
        there, the landscape changes in time, the diffusion is not positive, in several coordinates it depends on x or
        is not reversible or the landscape circulates, or the correction is asked for there or leaves no positive rate.

    References
    ----------
    Kramers 1940 (Physica 7, 284); Haenggi, Talkner, Borkovec 1990 (Rev. Mod. Phys. 62, 251); for noise that depends
    on the curvature, Xie, Sato, Sugiyama 2021 (arXiv 2002.03495), whose prefactor is that of Haenggi-Klimontovich.
    """
    T = finite_number("temperature", temperature, sign="positive")
    check_parts(landscape, noise)
    share = share_of_noise(noise, interpretation)
    if order not in (0, 1):
        raise ValueError(f"order must be 0 or 1, got {order!r}")
    if landscape.dim > 1 and order == 1:
        raise ValueError("the correction of order 1 is known on a line; use order=0 in several coordinates")
    points = np.stack([_point(name, at, landscape.dim) for name, at in (("minimum", minimum), ("saddle", saddle))])
    factor = 1.0
    if landscape.dim == 1:
        curvatures = _curvatures(landscape, points)
        process = line_process(landscape, noise, T, interpretation)
        low, top = process.diffusion(points[:, 0])
        barrier = process.barrier(points[0, 0], points[1, 0]) - (share - 0.5) * float(np.log(low / top))
        if order == 1:
            factor = first_correction(process, points[0, 0], points[1, 0])
    else:
        barrier = reversible_barrier(landscape, noise, points[0], points[1]) / T
        curvatures = _curvatures(landscape, points)
    _refuse_slopes(landscape, points)
    logs = np.sum(np.log(np.abs(curvatures)), axis=1)
    rate = abs(curvatures[1, 0]) / (2 * np.pi) * factor * np.exp((logs[0] - logs[1]) / 2 - barrier)
    return _number("kramers_rate", float(rate))


def _point(name: str, value: ArrayLike, dim: int) -> Array:
    point = np.atleast_1d(number_array(name, value))
    if point.shape != (dim,) or not np.all(np.isfinite(point)):
        raise ValueError(f"{name} must be finite, of shape ({dim},), got {np.asarray(value).tolist()}")
    return point


def _curvatures(landscape: Landscape, points: Array) -> Array:
    if not hasattr(landscape, "hessian"):
        raise ValueError("Kramers' rate needs a landscape with hessian(x); use mean_first_passage_time instead")
    values = np.linalg.eigvalsh(np.asarray(landscape.hessian(points)))
    if values[0, 0] <= 0:
        raise ValueError(f"minimum must have positive curvatures, got {values[0, 0]:.6g} at {points[0].tolist()}")
    if not (values[1, 0] < 0 and np.all(values[1, 1:] > 0)):
        raise ValueError(
            f"saddle must have one falling direction, got curvatures {values[1].tolist()} at {points[1].tolist()}"
        )
    return np.asarray(values)


def _refuse_slopes(landscape: Landscape, points: Array) -> None:
    """Refuse points where the gradient does not vanish, by how far off the place is where it does."""
    hessians = np.asarray(landscape.hessian(points))  # type: ignore[attr-defined]
    steps = np.linalg.solve(hessians, np.asarray(landscape.gradient(points))[..., None])[..., 0]
    for name, point, step in zip(("minimum", "saddle"), points, steps, strict=True):
        if not np.linalg.norm(step) <= _NEAR * np.linalg.norm(points[1] - points[0]):
            raise ValueError(
                f"the gradient does not vanish at {name}={point.tolist()}, but near {(point - step).round(6).tolist()}"
            )


def _number(name: str, value: float) -> xr.DataArray:
    return xr.DataArray(value, name=name, attrs={**schema.describe(name), "standard_error": 0.0})
