"""How flat a loss is around a point: from the eigenvalues of its Hessian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.frames import finite_points

if TYPE_CHECKING:
    from sgdphys.protocols import Array, Curved

__all__ = ["flatness"]


def flatness(landscape: Curved, at: Any = None, *, threshold: float | None = None) -> xr.Dataset:
    r"""Return measures of flatness at points: trace, extreme eigenvalues and log-determinant of the Hessian.

    The log-determinant is that of the confining part, :math:`\sum_{\lambda_i > \mathrm{threshold}} \ln \lambda_i`; at a
    temperature T the Gaussian cloud around the point has the entropy
    :math:`\frac{k}{2} \ln(2 \pi e T) - \frac12 \sum \ln \lambda_i` when the noise is isotropic.

    Parameters
    ----------
    landscape
        Anything with ``hessian(x)`` for x (particle, coordinate): a landscape or a network.
    at
        Points (point, coordinate) or (coordinate,), or a cloud, whose last frame is taken without the particles that
        left for infinity; a cloud in reduced coordinates is mapped to the parameters of a network by its ``origin`` and
        ``basis``. None means the landscape's minima, or the present parameters of a network.
    threshold
        Curvature above which an eigenvalue counts as confining, in loss/x^2; None means the coordinates' number times
        the rounding of the largest absolute eigenvalue.

    Returns
    -------
    xr.Dataset
        ``trace``, ``largest_eigenvalue``, ``smallest_eigenvalue`` (in loss/x^2), ``log_determinant`` and ``left_out``,
        the number of eigenvalues that do not confine, all over (point); ``location`` (point, coordinate).

    Raises
    ------
    ValueError
        The landscape has no Hessian or no known minimum, or the points do not fit.
    """
    if not hasattr(landscape, "hessian"):
        raise ValueError(f"{type(landscape).__name__} has no hessian(x), so its flatness is not defined")
    if hasattr(landscape, "circulation"):
        raise ValueError("a circulating landscape has no symmetric Hessian: give the flatness of its base")
    points = _locations(landscape, at)
    eigenvalues = [np.linalg.eigvalsh(np.asarray(landscape.hessian(point[None]))[0]) for point in points]
    measures = [_measures(values, threshold) for values in eigenvalues]
    variables: dict[str, Any] = {
        name: (schema.POINT, np.array([measure[name] for measure in measures]), schema.describe(name))
        for name in measures[0]
    }
    variables["location"] = ((schema.POINT, schema.COORDINATE), points, schema.describe("location"))
    return xr.Dataset(variables, attrs={"threshold": "rounding" if threshold is None else float(threshold)})


def _measures(eigenvalues: Array, threshold: float | None) -> dict[str, float | int]:
    scale = float(np.abs(eigenvalues).max())
    limit = len(eigenvalues) * np.finfo(float).eps * scale if threshold is None else threshold
    confining = eigenvalues[eigenvalues > max(limit, 0.0)]
    return {
        "trace": float(eigenvalues.sum()),
        "largest_eigenvalue": float(eigenvalues[-1]),
        "smallest_eigenvalue": float(eigenvalues[0]),
        "log_determinant": float(np.log(confining).sum()),
        "left_out": len(eigenvalues) - len(confining),
    }


def _locations(landscape: Any, at: Any) -> Array:
    if at is None:
        at = getattr(landscape, "parameters", None) if not hasattr(landscape, "minima") else landscape.minima
        if at is None or len(at) == 0:
            raise ValueError(f"{type(landscape).__name__} knows no minimum; give the points at=")
    if isinstance(at, xr.Dataset):
        schema.validate_cloud(at)
        points = finite_points(at, -1)
        if "basis" in at and at.sizes[schema.PARAMETER] == landscape.dim:
            points = at["origin"].values + points @ at["basis"].values.T
    else:
        points = np.atleast_2d(np.asarray(at, dtype=np.float64))
    if points.ndim != 2 or points.shape[1] != landscape.dim or len(points) == 0 or not np.all(np.isfinite(points)):
        raise ValueError(
            f"at must hold finite points of shape (point, {landscape.dim}), at least one, got shape {points.shape}"
        )
    return points
