"""The twin of a network beyond the parabola: loss and noise tabulated along a few leading directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sgdphys.analysis.frames import check_cloud
from sgdphys.checks import finite_number, number_array, whole_number
from sgdphys.network.twins.drift import warn_of_drift
from sgdphys.network.twins.relaxation import relaxed
from sgdphys.simulation.memory import refuse_above_memory
from sgdphys.theory.discrete_sgd import stationary_covariance

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.network.problem import Network
    from sgdphys.network.twins.embedding import EmbeddedTable
    from sgdphys.noises import Tabulated
    from sgdphys.sgd import SGD

    Array = NDArray[np.float64]

__all__ = ["AnharmonicTwin", "anharmonic_twin_of"]

MOST_DIRECTIONS = 3
_SPREADS = 6.0  # predicted standard deviations from the minimum to the edge of the table
_KNOTS = {1: 41, 2: 25, 3: 13}
_POINTS_AT_ONCE = 64


class AnharmonicTwin(NamedTuple):
    """Tables of loss and noise that stand for a network; ``simulate(*twin, sgd=sgd, ...)`` runs them."""

    landscape: EmbeddedTable
    noise: Tabulated

    def __repr__(self) -> str:
        ranges = ", ".join(f"{axis[0]:.3g} ... {axis[-1]:.3g} by {len(axis)}" for axis in self.landscape.axes)
        return f"AnharmonicTwin({ranges}, within {len(self.landscape.origin)} parameters)"


def anharmonic_twin_of(
    network: Network,
    directions: int = 2,
    *,
    sgd: SGD | None = None,
    temperature: float | None = None,
    half_width: ArrayLike | None = None,
    knots: int | None = None,
    relax: bool = False,
    cloud: xr.Dataset | None = None,
    samples: int = 40,
) -> AnharmonicTwin:
    r"""Return loss and noise of a network in the plane of its leading Hessian eigenvectors V, tabulated.

    The landscape is the spline of :math:`f(x^* + V y)` on equally spaced knots y, the noise the multilinear interpolant
    of :math:`V^T C(x^* + V y) V`, read as Ito's, as SGD's is. The table goes to six predicted standard deviations, by
    the exact discrete covariance at ``sgd``, or by :math:`\sqrt{T\, C_{ii} / h_i}` at ``temperature``.

    The other directions stay where they are. In a real cloud they fluctuate and drift, which changes force and noise in
    the plane. With ``cloud`` both are averaged over the last frame of real replicas, whose other coordinates are put
    beside every y: the mean force and noise of directions that fluctuate independently of the plane. With ``relax`` f
    is minimised over the other directions at each knot, and C taken there: the profile of the loss, and the limit of
    other directions that are infinitely fast. Those behind the leading ones are slower, and where they are nearly flat
    the minima of neighbouring knots lie far apart, in different valleys: of the digits network such a table is rough
    and useless, of few parameters with stiff other directions it is not.

    For the digits network at lr .5 and B = 32 the variance along the first direction is 1.13 (standard error .01) of
    what the quadratic twin predicts. A table of one direction gives 1.32, averaged over a real cloud 1.16.

    Parameters
    ----------
    network
        A network at its minimum x*.
    directions
        Number of leading eigenvectors, 1 to 3.
    sgd, temperature, half_width
        One of them: the settings or T = lr/(2B) for which the width is predicted, or the width itself, from the minimum
        to the edge, in x, a number or one for each direction.
    knots
        Knots along each direction; default 41, 25 and 13 for one, two and three of them, at half a standard deviation
        (one in three dimensions) or less.
    relax
        Whether the other directions follow.
    cloud
        A stationary cloud of the real network, from ``train``, that says where the other directions are.
    samples
        Number of its replicas to average over; the time of the tables grows with it.

    Returns
    -------
    AnharmonicTwin
        Landscape and noise; coordinates count from the minimum.

    Raises
    ------
    ValueError
        There are too many directions, too few knots, no or more than one of the three widths, no stationary state to
        predict one from, ``cloud`` is no cloud of this network or has too few replicas, or it is given with ``relax``.

    Warns
    -----
    RuntimeWarning
        The network is not at a minimum, or a relaxation did not settle.
    """
    from sgdphys.network.twins.embedding import EmbeddedTable  # loads the compiler
    from sgdphys.noises import Tabulated

    count = _checked_directions(directions, network.dim)
    per_axis = _KNOTS[count] if knots is None else whole_number("knots", knots)
    if per_axis < 4:
        raise ValueError(f"knots must be at least 4 along each direction, got {per_axis}")
    if relax and cloud is not None:
        raise ValueError("relax=True and cloud= both say where the other directions are: give one of them")
    leading = network.curvature().top(count)
    V = leading["eigenvector"].values
    covariance = network.noise().project(V)
    warn_of_drift(network, V, covariance, "the table counts from a point off it", stacklevel=6)
    widths = _widths(leading["eigenvalue"].values, covariance, sgd, temperature, half_width)
    shifts = _shifts(network, V, cloud, samples)
    axes = [np.linspace(-width, width, per_axis) for width in widths]
    y = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    _check_size(network, y.size // count)
    points = network.parameters + y.reshape(-1, count) @ V.T
    if relax:
        points = relaxed(network, points.reshape(*y.shape[:-1], -1), V)
    losses, noise = _averages(network, points, V, shifts)
    landscape = EmbeddedTable(axes, losses.reshape(y.shape[:-1]), network.parameters, V)
    return AnharmonicTwin(landscape, Tabulated(axes, noise.reshape(*y.shape, count)))


def _check_size(network: Network, n_knots: int) -> None:
    what = f"the points of {n_knots} knots in {network.dim} parameters"
    refuse_above_memory(3 * 8 * n_knots * network.dim, what, "use fewer knots= or directions=")


def _averages(network: Network, points: Array, V: Array, shifts: Array) -> tuple[Array, Array]:
    """Return f (point,) and V'CV (point, k, k), averaged over shifts (shift, d) of all points."""
    losses, noise = np.zeros(len(points)), np.zeros((len(points), V.shape[1], V.shape[1]))
    for shift in shifts:
        losses += _losses(network, points + shift) / len(shifts)
        noise += np.stack([network.at(point).noise().project(V) for point in points + shift]) / len(shifts)
    return losses, noise


def _shifts(network: Network, V: Array, cloud: xr.Dataset | None, samples: int) -> Array:
    """Return what real replicas are off the minimum across the plane, (shift, d); one of zero without a cloud."""
    if cloud is None:
        return np.zeros((1, network.dim))
    check_cloud(cloud)
    positions = cloud["position"].values[-1]
    positions = positions[np.isfinite(positions).all(axis=1)]
    if positions.shape[1] != network.dim or len(positions) < whole_number("samples", samples):
        raise ValueError(
            f"cloud must hold at least samples={samples} finite replicas of the network's {network.dim} parameters, "
            f"got {positions.shape[0]} of {positions.shape[1]}"
        )
    away = positions[:samples] - network.parameters
    return np.asarray(away - away @ V @ V.T)


def _checked_directions(directions: int, dim: int) -> int:
    most = min(MOST_DIRECTIONS, dim)
    if whole_number("directions", directions) > most:
        raise ValueError(
            f"directions must lie between 1 and {most}, got {directions}: tables have few; use kind='full'"
        )
    return int(directions)


def _widths(curvatures: Array, covariance: Array, sgd: SGD | None, temperature: Any, half_width: Any) -> Array:
    if sum(given is not None for given in (sgd, temperature, half_width)) != 1:
        raise ValueError(
            "an anharmonic twin needs one of sgd=, temperature= and half_width=, which tell how far it goes"
        )
    if half_width is not None:
        widths = number_array("half_width", half_width)
        if widths.shape not in {(), curvatures.shape}:
            count = len(curvatures)
            raise ValueError(f"half_width must be one number or one for each of {count} directions, got {half_width}")
        widths = np.broadcast_to(widths, curvatures.shape)
        if not (np.all(np.isfinite(widths)) and np.all(widths > 0)):
            raise ValueError(f"half_width must be positive and finite, got {half_width}")
        return np.array(widths)
    if curvatures[-1] <= 0:
        raise ValueError(
            f"the curvature along direction {len(curvatures) - 1} is {curvatures[-1]:.3g}, not positive, so no spread "
            "is predicted; give half_width="
        )
    if sgd is not None:
        exact = stationary_covariance(np.diag(curvatures), covariance, sgd)
        return np.asarray(_SPREADS * np.sqrt(np.diag(exact["stationary_covariance"])))
    T = finite_number("temperature", temperature, sign="positive")
    return np.asarray(_SPREADS * np.sqrt(T * np.diag(covariance) / curvatures))


def _losses(network: Network, points: Array) -> Array:
    starts = range(0, len(points), _POINTS_AT_ONCE)
    return np.concatenate([network.potential(points[start : start + _POINTS_AT_ONCE]) for start in starts])
