"""The ratio of partition sums at the end and at the beginning of a run, for quadratic energies."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.analysis.temperatures_of_run import is_underdamped, steps_and_temperatures
from sgdphys.landscapes.quadratic import Quadratic
from sgdphys.observers.staged_energies import StagedEnergy

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["partition_ratio_of_run"]

_WAY_OUT = "; give partition_ratio=, which is Z_1/Z_0, 1 for normalised energies"
_NAME_IT = "; give that of the observer as energy=, or Z_1/Z_0 as partition_ratio="


def partition_ratio_of_run(run: xr.Dataset, energy: Any, name: str) -> float:
    r"""Return :math:`\ln(Z_1/Z_0)` with :math:`Z = \int e^{-f/T} dx` of a quadratic energy, at a run's end and start.

    Parameters
    ----------
    run
        Result of ``simulate``, whose configuration tells the temperatures.
    energy
        A quadratic landscape, an energy in stages of such, or None for what the configuration says of the observer.
    name
        Name of the observer of work.

    Returns
    -------
    float
        The logarithm.

    Raises
    ------
    ValueError
        The energy is not known to be quadratic and confining, or the temperatures are not known or not positive.
    """
    known = steps_and_temperatures(run)
    if known is None:
        raise ValueError(f"the configuration does not tell the temperatures of this run{_WAY_OUT}")
    ends = float(known[1][0]), float(known[1][-1])
    if min(ends) <= 0:
        raise ValueError(f"the temperature at beginning and end must be positive, got {ends[0]:g} and {ends[1]:g}")
    if isinstance(energy, (list, tuple)):
        energy = StagedEnergy(energy)
    if energy is None:
        dim, constant = _told(run, name)
        logarithm = dim / 2 * math.log(ends[1] / ends[0]) - constant * (1 / ends[1] - 1 / ends[0])
    else:
        dim = int(getattr(energy, "dim", 0))
        configuration = json.loads(run.attrs["configuration"])
        steps = int(configuration["first_step"]), int(configuration["last_step"])
        first, last = (_logarithm(_at(energy, step), end) for step, end in zip(steps, ends, strict=True))
        logarithm = last - first
    return logarithm + (dim / 2 * math.log(ends[1] / ends[0]) if is_underdamped(run) else 0.0)


def _at(energy: Any, step: int) -> Any:
    return energy.at(step) if isinstance(energy, StagedEnergy) else energy


def _logarithm(energy: Any, temperature: float) -> float:
    if not isinstance(energy, Quadratic):
        raise ValueError(f"the partition sums of a {type(energy).__name__} are not known{_WAY_OUT}")
    curvatures = np.linalg.eigvalsh(energy.matrix)
    if curvatures[0] <= 0:
        raise ValueError(f"the energy must confine, got an eigenvalue of {curvatures[0]:g}{_WAY_OUT}")
    return float(-np.log(curvatures / (2 * math.pi * temperature)).sum() / 2 - energy.constant / temperature)


def _told(run: xr.Dataset, name: str) -> tuple[int, float]:
    """Return dimension and constant of the quadratic energy that the configuration tells, the same at both ends."""
    configuration = json.loads(run.attrs["configuration"])
    observers = configuration.get("observers", [])
    own = [each for each in observers if each.get("observer") == "Work" and each.get("name") == name]
    energy = own[0].get("energy") if own else None
    described = configuration.get("landscape") if energy == "loss" else energy
    if not isinstance(described, dict) or "Quadratic" not in {described.get("landscape"), described.get("observer")}:
        raise ValueError(f"the configuration tells of no quadratic energy{_NAME_IT}")
    matrix = described.get("matrix")
    if isinstance(matrix, dict):
        return int(matrix["shape"][0]), float(described["constant"])
    if matrix is None:
        raise ValueError(f"the configuration does not hold the matrix of the energy{_NAME_IT}")
    return len(matrix), float(described["constant"])
