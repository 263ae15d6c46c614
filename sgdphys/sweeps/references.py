"""The stationary state that a cloud is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.analysis import free_energy
from sgdphys.fokker_planck import stationary
from sgdphys.noises import Isotropic
from sgdphys.sweeps.scales import gibbs_grid

if TYPE_CHECKING:
    import xarray as xr

    from sgdphys.fokker_planck import Grid
    from sgdphys.protocols import Landscape, Noise

__all__ = ["Reference", "reference_of"]

_FROM_REFERENCE = ("entropy", "mean_potential", "free_energy")


@dataclass(frozen=True)
class Reference:
    """What the free energy of a cloud is computed from, and its stationary values.

    Parameters
    ----------
    potential
        The landscape for D = c I; for other noise the stationary density on a grid, which stands for -T log p_ss, or
        the landscape where there is no grid.
    temperature
        What goes with that potential: T c, or T.
    stationary
        ``entropy``, ``mean_potential``, ``free_energy`` of the stationary state and its ``variance`` (coordinate,); NaN
        where it is not known.
    """

    potential: Landscape | xr.Dataset
    temperature: float
    stationary: dict[str, Any]

    def energies(self, cloud: xr.Dataset) -> xr.Dataset:
        """Return entropy, mean potential, free energy and relative entropy of a cloud over time, with errors."""
        known = self.stationary["free_energy"]
        return free_energy(
            cloud, self.potential, temperature=self.temperature, reference=known if np.isfinite(known) else None
        )


def reference_of(landscape: Landscape, noise: Noise, temperature: float, start: Any, grid: Grid | None) -> Reference:
    """Work out the stationary state of a landscape and a noise.

    Parameters
    ----------
    landscape, noise, temperature
        As in ``sweep``.
    start
        Where the search for a grid begins; None means at the known minima.
    grid
        The grid; None chooses one, if the landscape has one or two coordinates and rises on all sides.

    Returns
    -------
    Reference
        With NaN where no grid holds the stationary state, or the noise is one that the grid cannot take,
        among them every D that depends on x.
    """
    unknown = dict.fromkeys(_FROM_REFERENCE, np.nan) | {"variance": np.full(landscape.dim, np.nan)}
    if not getattr(noise, "additive", True):
        return Reference(landscape, temperature, unknown)
    diffusion = noise.diffusion(np.zeros((1, landscape.dim)))[0]
    isotropic = isinstance(noise, Isotropic)
    energy = temperature * float(diffusion[0, 0] if isotropic else np.diagonal(diffusion).max())
    without = Reference(landscape, energy if isotropic else temperature, unknown)
    diagonal = not np.any(diffusion - np.diag(np.diagonal(diffusion)))
    if grid is None and diagonal and energy > 0:
        grid = gibbs_grid(landscape, energy, start=start)
    if grid is None or not diagonal or not np.diagonal(diffusion).all():
        return without
    density = stationary(landscape, noise, temperature=temperature, grid=grid)
    potential = landscape if isotropic else density
    values = free_energy(density, potential, temperature=without.temperature)
    known = {name: float(values[name][-1]) for name in _FROM_REFERENCE} | {"variance": _variance(density, grid)}
    return Reference(potential, without.temperature, known)


def _variance(density: xr.Dataset, grid: Grid) -> Any:
    weights, points = density["density"].values[-1].ravel() * grid.cell_volume, grid.points()
    mean = weights @ points
    return weights @ (points - mean) ** 2
