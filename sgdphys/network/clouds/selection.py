"""The replicas of one setting out of a cloud of several."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys import schema
from sgdphys.sgd import require_sgd

if TYPE_CHECKING:
    import xarray as xr

    from sgdphys.sgd import SGD

__all__ = ["replicas_of"]


def replicas_of(cloud: xr.Dataset, sgd: SGD) -> xr.Dataset:
    """Return the replicas with these settings out of a cloud that was trained with several, as a cloud of their own.

    Parameters
    ----------
    cloud
        A cloud of ``train`` with a list of settings.
    sgd
        One of them; number of samples and weight decay may be left out as in ``train``.

    Returns
    -------
    xr.Dataset
        Its time is lr * step, and its configuration holds these settings alone. It cannot be continued as the same
        run, since replicas are numbered anew.

    Raises
    ------
    ValueError
        The cloud was not trained so, or these are none of its settings.
    """
    require_sgd(sgd)
    told = json.loads(getattr(cloud, "attrs", {}).get("configuration", "{}"))
    settings = told.get("sgd") or {}
    if told.get("verb") != "train" or "settings" not in settings:
        raise ValueError("replicas_of needs a cloud that was trained with a list of settings, one for each replica")
    number = _number(sgd, settings["settings"])
    rows = np.flatnonzero(np.array(settings["of_replica"]) == number)
    chosen = cloud.isel(particle=rows).drop_vars(["lr", "batch_size", "momentum"])
    if len({own["lr"] for own in settings["settings"]}) > 1:  # else the cloud's time is that of all
        time = chosen["step"].values * (sgd.lr / told.get("amplification", 1))
        chosen = chosen.assign_coords(time=(schema.TIME, time, schema.describe("time")))
    told |= {"sgd": settings["settings"][number], "n_particles": len(rows), "of_replicas": rows.tolist()}
    if isinstance(told["seed"], list):
        told["seed"] = [told["seed"][row] for row in rows]
    return chosen.assign_attrs(configuration=json.dumps(told))


def _number(sgd: SGD, settings: list[dict[str, Any]]) -> int:
    for number, own in enumerate(settings):
        full = replace(sgd, n_samples=own["n_samples"], weight_decay=sgd.weight_decay or own["weight_decay"])
        if asdict(full) == own:
            return number
    raise ValueError(f"no replica of the cloud was trained with {sgd}; its settings are in the configuration")
