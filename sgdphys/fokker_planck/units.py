"""Units of results: those of the schema, or, with inertia, those of unit mass."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sgdphys.fokker_planck.underdamped import Underdamped

if TYPE_CHECKING:
    import xarray as xr

    Result = TypeVar("Result", xr.Dataset, xr.DataArray)

__all__ = ["with_units_of"]

_INERTIAL = {  # at unit mass a velocity squared is an energy
    "x^2/loss": "x/sqrt(loss)",
    "x^4/loss^2": "x^2/loss",
    "loss/x^2": "sqrt(loss)/x",
    "1/x^dim": "1/(x sqrt(loss))^(dim/2)",
    "loss/x^(dim+1)": "its coordinate sqrt(loss)/x / (x sqrt(loss))^(dim/2)",
}


def with_units_of(landscape: object, result: Result) -> Result:
    """Return a result whose units are those of its landscape's motion.

    Parameters
    ----------
    landscape
        What was solved; units change for ``Underdamped`` alone: time is in x/sqrt(loss), a velocity in sqrt(loss).
    result
        With the units of overdamped motion.

    Returns
    -------
    Dataset or DataArray
        The same one.
    """
    if not isinstance(landscape, Underdamped):
        return result
    for array in (
        result,
        *result.coords.values(),
        *(result.data_vars.values() if hasattr(result, "data_vars") else ()),
    ):
        if array.attrs.get("units") in _INERTIAL:
            array.attrs["units"] = _INERTIAL[array.attrs["units"]]
    for name in landscape.coordinate_names[landscape.dim // 2 :]:
        if name in result.coords:
            result.coords[name].attrs["units"] = "sqrt(loss)"
    return result
