"""What the configuration of a Dataset tells about noise and circulation: whether the loss is then its potential."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys import schema
from sgdphys.analysis.frames import cell_centres, finite_points
from sgdphys.landscapes import restore

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["warn_where_the_loss_is_not_the_potential"]

_ARRAYS = ("quadratic_matrix", "origin", "basis", "circulation_matrix", "knot_potential", "knot_circulation")
_SOME_POINTS = 256
_ROUNDING = 1e-6  # of its terms, what a divergence may be off where it is meant to vanish


def warn_where_the_loss_is_not_the_potential(dataset: xr.Dataset, potential: Any, temperature: float) -> None:
    """Warn when the loss of a run is taken for Phi = -T log p_ss, and noise or circulation say that it is not.

    Parameters
    ----------
    dataset
        Cloud or density with the configuration of its run; without one nothing is known and nothing said.
    potential
        What is taken for Phi; only the landscape (or its gradient part) or network of the run itself is warned about.
    temperature
        What is taken for its temperature.

    Warns
    -----
    UserWarning
        The noise is not D = c I, or it is and the temperature is T in place of T c; or the landscape has a circulating
        part c(x), and c exp(-f/T) a divergence.
    """
    run = json.loads(dataset.attrs.get("configuration", "{}"))
    own = run.get("network", run.get("landscape"))
    describe = getattr(potential, "configuration", None)
    if own is None or not callable(describe):
        return
    described = json.loads(json.dumps(describe()))
    if described != own and not (own.get("landscape") == "Field" and described == own["base"]):
        return
    scale = _isotropic_scale(run.get("noise"), is_network="network" in run)
    if scale is None:
        _warn(
            "the noise of this run is not D = c I, so that its potential -T log p_ss is not the loss, and E[loss] "
            "- T H is no free energy; give the stationary density in place of the loss"
        )
    elif scale != 1 and np.isclose(temperature, run.get("temperature") or np.nan):
        _warn(
            f"the noise of this run is D = {scale:g} I: the loss is its potential at temperature=T*c = "
            f"{temperature * scale:g}, not at T = {temperature:g}"
        )
    elif "network" not in run and _circulates(own) and _circulation_matters(dataset, potential, own, temperature):
        _warn(
            "the landscape of this run has a circulating part c(x), and c exp(-f/T) a divergence: the loss f is not "
            f"its potential -T log p_ss at T = {temperature:g}, and E[loss] - T H is no free energy; give the "
            "stationary density in place of the loss"
        )


def _circulates(landscape: Any) -> bool:
    """Return whether the configuration of a landscape names a circulating part, of its own or of a part."""
    if not isinstance(landscape, dict):
        return False
    if landscape.get("landscape") in {"Field", "ChaudhariSoatto"} or landscape.get("circulates"):
        return True
    parts = [landscape.get(name) for name in ("of", "base", "drive")] + list(landscape.get("parts") or [])
    return any(map(_circulates, parts))


def _circulation_matters(dataset: xr.Dataset, potential: Any, own: dict[str, Any], temperature: float) -> bool:
    """Return whether div c differs from c . grad f / T where the particles are; True where that cannot be told."""
    field = potential if hasattr(potential, "circulation") else _restored(dataset, own)
    if field is None:
        return True
    points = _some_points(dataset)
    circulation, slope = field.circulation(points), field.base.gradient(points)
    growth = np.einsum("pii->pi", field.circulation_derivative(points))
    terms = np.concatenate([growth, -circulation * slope / temperature], axis=1)
    return bool(np.any(np.abs(terms.sum(axis=1)) > _ROUNDING * np.abs(terms).max(initial=0.0)))


def _restored(dataset: xr.Dataset, own: dict[str, Any]) -> Any:
    """Return the landscape of the run if its configuration makes one that circulates, else None."""
    try:
        landscape = restore(own, {name: dataset[name].values for name in _ARRAYS if name in dataset})
    except (ValueError, KeyError, TypeError):
        return None
    return landscape if hasattr(landscape, "circulation") else None


def _some_points(dataset: xr.Dataset) -> NDArray[np.float64]:
    points = cell_centres(dataset) if schema.is_density(dataset) else finite_points(dataset, -1)
    return np.ascontiguousarray(points[:: max(1, len(points) // _SOME_POINTS)])


def _isotropic_scale(noise: dict[str, Any] | None, *, is_network: bool) -> float | None:
    """Return c where the noise is known to be D = c I, 1 for no noise given, else None."""
    if noise is None:
        return None if is_network else 1.0
    if noise.get("noise") == "Isotropic":
        return float(noise["c"])
    values = noise.get("c", noise.get("matrix"))
    if noise.get("noise") not in {"Diagonal", "Full"} or not isinstance(values, list):
        return None
    matrix = np.diag(values) if np.ndim(values) == 1 else np.array(values)
    scale = float(matrix[0, 0])
    return scale if np.allclose(matrix, scale * np.eye(len(matrix)), rtol=1e-9, atol=0) else None


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)
