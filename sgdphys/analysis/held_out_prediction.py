"""Replicas that are set aside, to test what the others predict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys import schema
from sgdphys.analysis.frames import check_cloud
from sgdphys.checks import finite_number, whole_number

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["held_out"]


def held_out(cloud: xr.Dataset, fraction: float = 0.5, seed: int = 0) -> tuple[xr.Dataset, xr.Dataset]:
    """Return a cloud in two parts of different particles: those to learn from and those held out.

    Particles are independent, so that what is fitted to the first part can be tested on the second, as by
    :func:`total_variation`, without having seen it. Frames of one particle are not independent and stay together.

    Parameters
    ----------
    cloud
        Two particles or more.
    fraction
        Share of the particles that are held out, between 0 and 1; at least one is in each part.
    seed
        Of the draw, an integer, not negative.

    Returns
    -------
    tuple
        The part to learn from and the held-out part, each with the particles in their order.

    Raises
    ------
    ValueError
        The Dataset is no cloud or has one particle, or the fraction is out of range.
    """
    check_cloud(cloud)
    fraction, seed = finite_number("fraction", fraction), whole_number("seed", seed, least=0)
    particles = int(cloud.sizes[schema.PARTICLE])
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction:g}")
    if particles < 2:
        raise ValueError(f"holding particles out needs two or more, the cloud has {particles}")
    aside = min(max(round(fraction * particles), 1), particles - 1)
    order = np.random.default_rng(seed).permutation(particles)
    learn, test = np.sort(order[aside:]), np.sort(order[:aside])
    return cloud.isel({schema.PARTICLE: learn}), cloud.isel({schema.PARTICLE: test})
