"""What the configuration of a Dataset tells about the noise, and whether the loss is then its potential."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["warn_where_the_loss_is_not_the_potential"]


def warn_where_the_loss_is_not_the_potential(dataset: xr.Dataset, potential: Any, temperature: float) -> None:
    """Warn when the loss of a run is taken for its potential Phi = -T log p_ss and the noise says that it is not.

    Parameters
    ----------
    dataset
        Cloud or density with the configuration of its run; without one nothing is known and nothing said.
    potential
        What is taken for Phi; only the landscape or network of the run itself is warned about.
    temperature
        What is taken for its temperature.

    Warns
    -----
    UserWarning
        The noise is not D = c I, or it is and the temperature is T in place of T c.
    """
    run = json.loads(dataset.attrs.get("configuration", "{}"))
    own = run.get("network", run.get("landscape"))
    describe = getattr(potential, "configuration", None)
    if own is None or not callable(describe) or json.loads(json.dumps(describe())) != own:
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
