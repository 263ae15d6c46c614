"""Barriers of reversible noise in several coordinates, and the first correction to Kramers' rate on a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import Chebyshev, legendre

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.protocols import Landscape, Noise
    from sgdphys.theory.passage_quadrature import LineProcess

    Array = NDArray[np.float64]

__all__ = ["first_correction", "reversible_barrier"]

_NODES, _WEIGHTS = legendre.leggauss(100)
_BESIDE = 0.3  # how far beside the way points are tried, over its length
_EQUAL = 1e-7
_AROUND = 0.05  # half of the interval on which derivatives are taken, over the distance of minimum and top
_DEGREE = 12


def reversible_barrier(landscape: Landscape, noise: Noise | None, minimum: Array, saddle: Array) -> float:
    r"""Return the integral of grad f D^-1 dx from minimum to saddle for constant noise that obeys detailed balance.

    Returns
    -------
    float
        The barrier, in x^2/loss; over T it is the exponent of the rate.

    Raises
    ------
    ValueError
        The landscape circulates, the noise depends on x or has a direction without noise, or it is not reversible.
    """
    if hasattr(landscape, "circulation"):
        raise ValueError("the landscape has a circulating part, which has no closed form of the rate in several "
                         "coordinates; use fokker_planck.mean_first_passage_time")  # fmt: skip
    way = saddle - minimum
    on_way = minimum + (1 + _NODES[:, None]) / 2 * way
    D = _constant_diffusion(landscape, noise, np.concatenate([minimum[None], saddle[None], on_way]))
    _refuse_irreversible(landscape, D, on_way, np.concatenate([minimum[None], saddle[None]]))
    slopes = np.asarray(landscape.gradient(on_way)) @ np.linalg.solve(D, way)
    return float(_WEIGHTS @ slopes) / 2


def _constant_diffusion(landscape: Landscape, noise: Noise | None, points: Array) -> Array:
    if noise is None:
        return np.eye(points.shape[1])
    bound = noise.bound(landscape) if hasattr(noise, "bound") else noise
    D = np.asarray(bound.diffusion(np.ascontiguousarray(points)))
    scale = float(np.abs(D).max())
    if not np.isfinite(scale) or np.abs(D - D[0]).max() > 1e-9 * scale:
        raise ValueError("in several coordinates the rate is known for constant noise only, and D depends on x; "
                         "use fokker_planck.mean_first_passage_time")  # fmt: skip
    smallest = float(np.linalg.eigvalsh(D[0])[0])
    if smallest <= 1e-12 * scale:
        raise ValueError(f"the diffusion must be positive in all directions, its smallest eigenvalue is {smallest:.3g}")
    return np.asarray(D[0])


def _refuse_irreversible(landscape: Landscape, D: Array, on_way: Array, ends: Array) -> None:
    # D^-1 grad f is a gradient where its derivative D^-1 H is symmetric
    length = float(np.linalg.norm(ends[1] - ends[0]))
    aside = _BESIDE * length * np.random.default_rng(0).normal(size=on_way.shape)
    H = np.asarray(landscape.hessian(np.concatenate([ends, on_way, on_way + aside])))  # type: ignore[attr-defined]
    products = H @ D
    odd = np.abs(products - products.transpose(0, 2, 1)).max()
    if odd > _EQUAL * np.abs(products).max():
        raise ValueError(
            "in several coordinates the rate is known for noise with detailed balance only: H(x) D differs from D H(x) "
            f"by {odd:.3g}, so that the noise drives a current; use isotropic noise, or "
            "fokker_planck.mean_first_passage_time"
        )


def first_correction(process: LineProcess, minimum: float, top: float) -> float:
    """Return 1 - T (c_a + c_s), the factor of Kramers' rate to first order in the temperature.

    Returns
    -------
    float
        The factor, positive.

    Raises
    ------
    ValueError
        It is not positive: the temperature is too high.
    """
    radius = _AROUND * abs(top - minimum)
    share = process.share
    factor = 1 - _integral_correction(process, minimum, radius, 1.0, -share)
    factor -= _integral_correction(process, top, radius, -1.0, share - 1)
    if factor <= 0:
        raise ValueError(f"the correction of order 1 would make the rate {factor:.3g} of itself: the temperature is "
                         "too high; use mean_first_passage_time")  # fmt: skip
    return factor


def _integral_correction(process: LineProcess, centre: float, radius: float, sign: float, power: float) -> float:
    """Return the relative first correction to the integral of D^power e^(-sign phi/T) around a point, by Laplace."""

    def log_weight(x: Array) -> Array:
        return np.asarray(power * np.log(process.diffusion(x)))

    domain = [centre - radius, centre + radius]
    slope = Chebyshev.interpolate(process.reduced_slope, _DEGREE, domain)
    weight = Chebyshev.interpolate(log_weight, _DEGREE, domain)
    second, third, fourth = (sign * float(slope.deriv(k)(centre)) for k in (1, 2, 3))
    first, change = (float(weight.deriv(k)(centre)) for k in (1, 2))
    curvature = change + first**2  # g''/g
    return (
        5 * third**2 / (24 * second**3) - fourth / (8 * second**2) - third * first / (2 * second**2)
        + curvature / (2 * second)
    )  # fmt: skip
