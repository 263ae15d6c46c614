"""A cloud seen in a few directions of its space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.analysis.frames import check_cloud
from sgdphys.checks import number_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sgdphys.protocols import Array

__all__ = ["project"]


def project(cloud: xr.Dataset, basis: Any, origin: ArrayLike | None = None) -> xr.Dataset:
    r"""Return a cloud in the coordinates :math:`y = V^{\mathsf T} (x - x_0)` of some directions V and an origin x_0.

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)``, such as a cloud of real networks in parameter space.
    basis
        V, shape (coordinate, direction), with orthonormal columns; or what carries V as ``basis`` and x_0 as
        ``origin``: the landscape of a network's twin, or a cloud of it.
    origin
        x_0, shape (coordinate,), in x; 0 if neither is given.

    Returns
    -------
    xr.Dataset
        A cloud with ``position(time, particle, coordinate)`` along the directions, the ``potential`` of the given one
        where it has one, ``basis``, ``origin``, and its attributes.

    Raises
    ------
    ValueError
        The Dataset is no cloud, the columns are not orthonormal, or a shape does not fit.
    """
    check_cloud(cloud)
    if hasattr(basis, "basis"):
        origin = getattr(basis, "origin", None) if origin is None else origin
        basis = basis.basis
    directions = _checked_basis(number_array("basis", basis), cloud.sizes[schema.COORDINATE])
    centre = np.zeros(len(directions)) if origin is None else np.ravel(number_array("origin", origin))
    if centre.shape != (len(directions),) or not np.all(np.isfinite(centre)):
        raise ValueError(
            f"origin must have {len(directions)} coordinates like the cloud, all finite, got {centre.size}"
        )
    with np.errstate(invalid="ignore"):  # particles at infinity
        position = (np.asarray(cloud["position"].values, dtype=np.float64) - centre) @ directions
    kept = [name for name in ("potential", "diverged") if name in cloud]
    result = cloud[kept].assign(position=(cloud["position"].dims, position, schema.describe("position")))
    result = result.drop_vars(schema.COORDINATE, errors="ignore").assign_attrs(cloud.attrs)
    times = {name: cloud[name] for name in (schema.TIME, schema.STEP) if name in cloud.coords}
    return result.assign_coords(times).assign(
        basis=((schema.PARAMETER, schema.COORDINATE), directions, schema.describe("basis")),
        origin=(schema.PARAMETER, centre, schema.describe("origin")),
    )


def _checked_basis(directions: Array, dim: int) -> Array:
    if directions.ndim != 2 or len(directions) != dim or not directions.size:
        raise ValueError(f"basis must have the shape ({dim}, direction) for this cloud, got {directions.shape}")
    gap = float(np.abs(directions.T @ directions - np.eye(directions.shape[1])).max(initial=0.0))
    if not gap < 1e-6:
        raise ValueError(
            f"the columns of basis must be orthonormal, V'V differs from 1 by {gap:.2g}: use its QR factor"
        )
    return directions
