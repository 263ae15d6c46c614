"""Clouds with velocities as points of phase space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys import schema
from sgdphys.analysis.frames import check_dataset

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["phase_space"]


def phase_space(cloud: xr.Dataset) -> xr.Dataset:
    """Return a cloud whose coordinates are all positions, then all velocities, of a cloud with both.

    All analyses then see the velocities too, and a density of ``fokker_planck.Underdamped`` has the same axes.

    Parameters
    ----------
    cloud
        ``position`` and ``velocity(time, particle, coordinate)``, from an underdamped integrator such as BAOAB. The
        velocity of heavy-ball SGD is another quantity (x moves by -lr v); it is taken as it stands.

    Returns
    -------
    xr.Dataset
        ``position(time, particle, coordinate)`` of twice as many coordinates, named like x, v_x, with its attributes.

    Raises
    ------
    ValueError
        The Dataset is no cloud or has no velocities.

    Examples
    --------
    >>> import sgdphys as sp
    >>> bowl = sp.landscapes.Quadratic(1.0)
    >>> run = {"temperature": 0.1, "dt": 0.05, "t1": 1.0, "n_particles": 100, "progress": False}
    >>> cloud = sp.simulate(bowl, integrator=sp.integrators.BAOAB(friction=1.0), **run)
    >>> [str(name) for name in sp.analysis.phase_space(cloud).coordinate.values]
    ['x', 'v_x']
    """
    check_dataset(cloud)
    schema.validate_cloud(cloud)
    if "velocity" not in cloud:
        raise ValueError("this cloud has no velocities: simulate it with an underdamped integrator such as BAOAB")
    known = cloud.coords.get(schema.COORDINATE)
    places = schema.coordinate_names(cloud.sizes[schema.COORDINATE]) if known is None else known.values.tolist()
    names = [*map(str, places), *(f"v_{name}" for name in places)]
    both = np.concatenate([cloud["position"].values, cloud["velocity"].values], axis=2)
    kept = cloud.drop_vars(["position", "velocity", schema.COORDINATE], errors="ignore").drop_dims(
        schema.COORDINATE, errors="ignore"
    )
    attributes = schema.describe("position") | {"units": "x, then its velocity"}
    return kept.assign(position=(cloud["position"].dims, both, attributes)).assign_coords({schema.COORDINATE: names})
