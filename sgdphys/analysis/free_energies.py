"""Free energy and relative entropy of clouds and densities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy.interpolate import RegularGridInterpolator
from scipy.special import logsumexp

from sgdphys import schema
from sgdphys.analysis.entropies import Method, check_method, chosen_method, cloud_estimator, density_entropies
from sgdphys.analysis.frames import (
    axis_labels,
    cell_centres,
    cell_volume,
    check_dataset,
    finite_points,
    frame_count,
    series,
)
from sgdphys.analysis.noise_of_run import warn_where_the_loss_is_not_the_potential
from sgdphys.analysis.potentials import check_temperature, checked_energies
from sgdphys.checks import finite_number
from sgdphys.landscapes.quadratic import Quadratic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from sgdphys.analysis.entropy_estimators import EntropyEstimate
    from sgdphys.fokker_planck.grid import Grid
    from sgdphys.protocols import Array, Landscape

    Energy = Callable[[Array], Array]

__all__ = ["ParticleFreeEnergy", "energy_of", "free_energy", "particle_free_energies", "relative_entropy"]


def free_energy(
    dataset: xr.Dataset,
    potential: Landscape | Energy | xr.Dataset,
    *,
    temperature: float,
    reference: float | xr.Dataset | None = None,
    method: Method = "auto",
    grid: Grid | None = None,
) -> xr.Dataset:
    r"""Return :math:`F = E[\Phi] - T H` over time, and the relative entropy :math:`(F - F_{eq})/T` where F_eq is known.

    F falls monotonically, and (F - F_eq)/T = KL(p || p_ss), when Phi = -T log p_ss. That is the landscape itself for D
    = I (for D = c I give ``temperature=T * c``: everything is then c times as large, like the loss), and the stationary
    density for any other noise, for which E[loss] - T H need not fall.

    Parameters
    ----------
    dataset
        A cloud or a density. Particles that left for infinity are left out.
    potential
        Phi: a landscape, a callable of points (particle, coordinate), in loss, a Dataset with the ``potential_matrix``
        U of x' U x / 2 from :func:`sgdphys.theory.decompose_linear`, or a stationary density Dataset, whose last frame
        stands for -T log p_ss, interpolated linearly between cell centres.
    temperature
        T, positive.
    reference
        F_eq, in loss, or a stationary density to compute it from. Not needed for a density (-T log of the sum of
        exp(-Phi/T) over its own cells), with a stationary density as ``potential`` (0), nor with a positive
        ``landscapes.Quadratic`` or ``potential_matrix`` (the Gaussian integral).
    method, grid
        Estimator of the entropy of a cloud, see :func:`sgdphys.analysis.entropy`.

    Returns
    -------
    xr.Dataset
        ``mean_potential(time)``, ``entropy(time)``, ``free_energy(time)`` and, where F_eq is known,
        ``relative_entropy(time)``, each with its ``..._standard_error(time)``. For clouds these come from the
        contribution of each particle to the estimate, Phi_i - T h_i, so the covariance of mean potential and entropy is
        in them; for densities they are 0.

    Raises
    ------
    ValueError
        The Dataset is neither a cloud nor a density, ``potential`` is none, or the temperature is not positive.

    Warns
    -----
    UserWarning
        ``potential`` is the run's own loss, and the run's noise is not D = c I, or c is not 1 and T not times c.

    References
    ----------
    Chaudhari & Soatto 2018 (arXiv 1710.11029), theorem 5.
    """
    check_temperature(temperature)
    check_method(method)
    frame_count(dataset)
    energy = energy_of(potential, temperature)
    warn_where_the_loss_is_not_the_potential(dataset, potential, temperature)
    chosen = "grid"
    if schema.is_density(dataset):
        columns = _of_density(dataset, energy, temperature)
    else:
        chosen = chosen_method(dataset, method)
        rows = [_summary(frame) for frame in particle_free_energies(dataset, energy, temperature, method, grid)]
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    equilibrium = _equilibrium(dataset, potential, energy, temperature, reference)
    if equilibrium is not None:
        columns["relative_entropy"] = (columns["free_energy"] - equilibrium) / temperature
        columns["relative_entropy_standard_error"] = columns["free_energy_standard_error"] / temperature
    return series(dataset, columns, {"method": chosen, "temperature": float(temperature)})


def relative_entropy(
    dataset: xr.Dataset, reference: xr.Dataset, method: Method = "auto", grid: Grid | None = None
) -> xr.Dataset:
    r"""Return the Kullback-Leibler divergence :math:`\int p \ln(p/p_{ref})` of a cloud or density from a density.

    Parameters
    ----------
    dataset
        A cloud or a density.
    reference
        A density; its last frame is taken, and its logarithm interpolated linearly between cell centres.
    method, grid
        Estimator of the entropy of a cloud, see :func:`sgdphys.analysis.entropy`.

    Returns
    -------
    xr.Dataset
        ``relative_entropy(time)`` and ``relative_entropy_standard_error(time)``, in nat; for clouds
        ``particle_count(time)``.
    """
    check_dataset(reference)
    result = free_energy(dataset, reference, temperature=1.0, method=method, grid=grid)
    kept = [name for name in result if str(name).startswith(("relative_entropy", "particle_count"))]
    return result[kept].assign_attrs(method=result.attrs["method"])


def _of_density(density: xr.Dataset, energy: Energy, temperature: float) -> dict[str, Array]:
    values = density["density"].values.reshape(density.sizes[schema.TIME], -1)
    mean = values @ energy(cell_centres(density)) * cell_volume(density)
    entropies = density_entropies(density)
    columns = {"mean_potential": mean, "entropy": entropies, "free_energy": mean - temperature * entropies}
    return columns | {f"{name}_standard_error": np.zeros(len(values)) for name in columns}


@dataclass(frozen=True)
class ParticleFreeEnergy:
    """Free energy of one frame of a cloud: the energy of each particle and the estimate of the entropy.

    Parameters
    ----------
    energies
        Phi of the finite particles, shape (particle,), in loss.
    estimate
        Entropy and what each of them contributes to it.
    temperature
        T.
    finite
        Which particles of the cloud these are, shape (particle of the cloud,).
    """

    energies: Array
    estimate: EntropyEstimate
    temperature: float
    finite: NDArray[np.bool_]

    @property
    def value(self) -> float:
        """E[Phi] - T H."""
        return float(self.energies.mean()) - self.temperature * self.estimate.value

    @property
    def contributions(self) -> Array:
        """Numbers of the cloud's particles whose mean varies as F does, shape (particle,), NaN for those that left."""
        numbers = np.full(self.finite.shape, np.nan)
        numbers[self.finite] = self.energies - self.temperature * self.estimate.contributions
        return numbers

    @property
    def excess(self) -> float:
        """Variance of n^(1/2) F beyond that of the contributions."""
        return self.temperature**2 * self.estimate.excess


def particle_free_energies(
    cloud: xr.Dataset, energy: Energy, temperature: float, method: Method, grid: Grid | None
) -> Iterator[ParticleFreeEnergy]:
    """Return the free energies of the frames of a cloud, one after another.

    Parameters
    ----------
    cloud
        ``position(time, particle, coordinate)``.
    energy
        Function of points (particle, coordinate), in loss.
    temperature
        T.
    method, grid
        Estimator of the entropy.

    Yields
    ------
    ParticleFreeEnergy
        That of each time.
    """
    estimator = cloud_estimator(cloud, chosen_method(cloud, method), grid)
    for frame in range(cloud.sizes[schema.TIME]):
        points = finite_points(cloud, frame)
        finite = np.isfinite(cloud["position"].values[frame]).all(axis=-1)
        yield ParticleFreeEnergy(energy(points), estimator(points), temperature, finite)


def _summary(frame: ParticleFreeEnergy) -> dict[str, float]:
    energies, estimate = frame.energies, frame.estimate
    return {
        "mean_potential": float(energies.mean()),
        "mean_potential_standard_error": float(energies.std(ddof=1)) / math.sqrt(len(energies)),
        "entropy": estimate.value,
        "entropy_standard_error": estimate.standard_error(),
        "free_energy": frame.value,
        "free_energy_standard_error": estimate.standard_error(energies, frame.temperature),
        "particle_count": len(energies),
    }


def _equilibrium(
    dataset: xr.Dataset,
    potential: Landscape | Energy | xr.Dataset,
    energy: Energy,
    temperature: float,
    reference: float | xr.Dataset | None,
) -> float | None:
    if isinstance(reference, xr.Dataset):
        schema.validate_density(reference)
        return float(_of_density(reference, energy, temperature)["free_energy"][-1])
    if reference is not None:
        if np.ndim(reference) != 0:
            raise ValueError(f"reference must be a number or a stationary density, got {type(reference).__name__}")
        return finite_number("reference", reference)
    matrix = _quadratic_matrix(potential)
    if isinstance(potential, xr.Dataset) and matrix is None:
        return 0.0
    if schema.is_density(dataset):
        exponents = -energy(cell_centres(dataset)) / temperature
        return -temperature * float(logsumexp(exponents) + math.log(cell_volume(dataset)))
    if matrix is None or np.linalg.eigvalsh(matrix)[0] <= 0:
        return None
    constant = getattr(potential, "constant", 0.0)
    sign_and_logarithm = np.linalg.slogdet(matrix / (2 * math.pi * temperature))
    return float(constant + temperature * sign_and_logarithm[1] / 2)


def _quadratic_matrix(potential: Landscape | Energy | xr.Dataset) -> Array | None:
    """Return M where Phi is x' M x / 2 up to a constant, else None."""
    if isinstance(potential, xr.Dataset):
        return np.asarray(potential["potential_matrix"].values) if "potential_matrix" in potential else None
    return potential.matrix if isinstance(potential, Quadratic) else None


def energy_of(potential: Landscape | Energy | xr.Dataset, temperature: float) -> Energy:
    """Return the function of points (particle, coordinate) that a landscape, a callable or a density stands for."""
    if isinstance(potential, xr.Dataset):
        matrix = _quadratic_matrix(potential)
        return _interpolated_potential(potential, temperature) if matrix is None else Quadratic(matrix).potential
    evaluate = potential.potential if hasattr(potential, "potential") else potential
    if not callable(evaluate):
        raise ValueError(f"potential must be a landscape, a callable or a density, got {type(potential).__name__}")
    return lambda points: checked_energies(evaluate(points), len(points))


def _interpolated_potential(density: xr.Dataset, temperature: float) -> Energy:
    schema.validate_density(density)
    axes = [np.asarray(density[axis].values, dtype=np.float64) for axis in axis_labels(density)]
    smallest = np.finfo(np.float64).tiny
    values = -temperature * np.log(np.maximum(density["density"].values[-1], smallest))
    interpolate = RegularGridInterpolator(axes, values, bounds_error=False, fill_value=None)
    low = np.array([axis[0] - (axis[1] - axis[0]) / 2 for axis in axes])
    high = np.array([axis[-1] + (axis[1] - axis[0]) / 2 for axis in axes])

    def energy(points: Array) -> Array:
        if points.shape[1] != len(axes):
            raise ValueError(
                f"the reference has {len(axes)} axes, the points {points.shape[1]} coordinates: make equal"
            )
        outside = int(((points < low) | (points > high)).any(axis=1).sum())
        if outside:
            raise ValueError(f"{outside} of {len(points)} points lie outside the reference's grid; use a wider one")
        return np.asarray(interpolate(points), dtype=np.float64)

    return energy
