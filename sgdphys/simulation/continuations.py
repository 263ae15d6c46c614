"""Whether a run may go on where an earlier cloud stopped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.simulation.dynamics import Dynamics
from sgdphys.simulation.lines import epochs

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["refuse_other_data_order", "refuse_other_velocity"]


def refuse_other_velocity(cloud: xr.Dataset, dynamics: Dynamics) -> None:
    """Refuse to read the sum of gradients that momentum keeps as a velocity dx/dt, or the other way round.

    Raises
    ------
    ValueError
        One of the two runs is SGD with momentum, the other one underdamped.
    """
    earlier = _configuration(cloud)
    if dynamics.rows == dynamics.dim or "sgd" not in earlier:
        return
    if (earlier["sgd"] is None) != (dynamics.sgd is None):
        meanings = "dx/dt of underdamped motion", "the sum of gradients of SGD with momentum"
        own, other = meanings if dynamics.sgd is None else meanings[::-1]
        raise ValueError(
            f"start: the cloud's velocity is {other}, this run needs {own}; "
            "give positions alone, start=cloud['position'].values[-1]"
        )


def refuse_other_data_order(cloud: xr.Dataset, step: int, dynamics: Dynamics) -> None:
    """Refuse shuffled minibatches whose place in the order of the data is not where the cloud stopped.

    Raises
    ------
    ValueError
        The batch sizes of the steps so far were others.
    """
    if not dynamics.shuffled or not {"epoch", "epoch_phase"} <= set(cloud.coords) or not _was_shuffled(cloud):
        return
    sgd: Any = dynamics.sgd
    epoch, offset = (int(number[0]) for number in epochs(dynamics, np.array([step])))
    before = int(cloud["epoch"][-1]), round(float(cloud["epoch_phase"][-1]) * sgd.n_samples)
    if before != (epoch, offset):
        raise ValueError(
            f"start: the cloud stopped at sample {before[1]} of epoch {before[0]}, step {step} of this run is at "
            f"sample {offset} of epoch {epoch}: a shuffled order goes on with the same batch sizes only; "
            "give both stages as one schedules.SGDSchedule"
        )


def _was_shuffled(cloud: xr.Dataset) -> bool:
    sgd = _configuration(cloud).get("sgd") or {}
    return bool(sgd.get("sgd", sgd).get("sampling") == "shuffle")


def _configuration(cloud: xr.Dataset) -> dict[str, Any]:
    text = cloud.attrs.get("configuration")
    return dict(json.loads(text)) if isinstance(text, str) else {}
