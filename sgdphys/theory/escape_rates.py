"""Escape over a barrier: mean times of first passage on a line by quadrature, and Kramers' rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import finite_number
from sgdphys.theory.passage_quadrature import LineProcess, passage_time, share_of_noise

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.protocols import Landscape, Noise
    from sgdphys.theory.passage_quadrature import Interpretation

    Array = NDArray[np.float64]

__all__ = ["kramers_rate", "mean_first_passage_time"]


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
        The landscape has more coordinates, a number is not finite, the diffusion is not positive, the landscape does
        not rise beyond the start and no wall was given, or the time is too long for a number.

    References
    ----------
    Gardiner, Handbook of Stochastic Methods (section 5.2.7); Pontryagin, Andronov, Vitt 1933.
    """
    process = LineProcess(landscape, noise, finite_number("temperature", temperature, sign="positive"),
                          share_of_noise(noise, interpretation))  # fmt: skip
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
) -> xr.DataArray:
    r"""Return Kramers' rate of escape from a minimum over a saddle, the limit of low temperature.

    On a line, with curvatures h at minimum a and top s of the barrier,

    .. math:: k = \frac{\sqrt{h_a |h_s|}}{2\pi} \left(\frac{D_a}{D_s}\right)^{\kappa - 1/2} e^{-\psi}, \qquad
        \psi = \int_a^s \frac{f'}{T D},

    with :math:`\kappa` = 1 (Ito), 1/2 (Stratonovich) or 0 (Haenggi-Klimontovich). For D = T-independent and
    proportional to the curvature, Ito's mean time is :math:`2\pi e^\psi / h_a`. In several coordinates, for D = c 1
    only, Eyring and Kramers' :math:`k = \frac{|\lambda_s|}{2\pi} \sqrt{\det H_a / |\det H_s|}\, e^{-\Delta f/(c T)}`.
    Corrections are of order T: at a barrier of 2.5 T in the double well the rate is 10 % off.

    Parameters
    ----------
    landscape
        With ``gradient`` on a line, ``potential`` in several coordinates, and ``hessian``.
    noise
        An object with ``diffusion``; None for D = 1.
    temperature
        T, in x^2/loss.
    minimum, saddle
        The points, scalar or (coordinate,), in x.
    interpretation
        How the noise is read; None for the noise's own, which is Ito if it does not say.

    Returns
    -------
    xr.DataArray
        The rate, zero-dimensional, per time in loss/x^2; the attribute ``standard_error`` is 0.

    Raises
    ------
    ValueError
        The curvatures are not those of a minimum and a saddle with one falling direction, the diffusion is not
        positive, or depends on place or direction in several coordinates.

    References
    ----------
    Kramers 1940 (Physica 7, 284); Haenggi, Talkner, Borkovec 1990 (Rev. Mod. Phys. 62, 251); for noise that depends
    on the curvature, Xie, Sato, Sugiyama 2021 (arXiv 2002.03495), whose prefactor is that of Haenggi-Klimontovich.
    """
    T = finite_number("temperature", temperature, sign="positive")
    share = share_of_noise(noise, interpretation)
    points = np.stack([_point(name, at, landscape.dim) for name, at in (("minimum", minimum), ("saddle", saddle))])
    curvatures = _curvatures(landscape, points)
    if landscape.dim == 1:
        process = LineProcess(landscape, noise, T, share)
        low, top = process.diffusion(points[:, 0])
        asymmetry = (low / top) ** (share - 0.5)
        barrier = process.barrier(points[0, 0], points[1, 0])
    else:
        heights = np.asarray(landscape.potential(points))
        asymmetry, barrier = 1.0, float(heights[1] - heights[0]) / (T * _isotropic(noise, points))
    logs = np.sum(np.log(np.abs(curvatures)), axis=1)
    slope = abs(curvatures[1, 0])
    rate = slope / (2 * np.pi) * asymmetry * np.exp((logs[0] - logs[1]) / 2 - barrier)
    return _number("kramers_rate", float(rate))


def _point(name: str, value: ArrayLike, dim: int) -> Array:
    point = np.atleast_1d(np.asarray(value, dtype=np.float64))
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


def _isotropic(noise: Noise | None, points: Array) -> float:
    if noise is None:
        return 1.0
    D = np.asarray(noise.diffusion(points))
    c = float(D[0, 0, 0])
    if c <= 0 or np.abs(D - c * np.eye(points.shape[1])).max() > 1e-9 * c:
        raise ValueError("in several coordinates the rate is known for constant isotropic noise only: D = c 1, c > 0")
    return c


def _number(name: str, value: float) -> xr.DataArray:
    return xr.DataArray(value, name=name, attrs={**schema.describe(name), "standard_error": 0.0})
