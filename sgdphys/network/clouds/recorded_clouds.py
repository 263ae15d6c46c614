"""A cloud of which a recording is kept in place of frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import sgdphys
from sgdphys import schema
from sgdphys.network.recording.channels import AXES, SCALARS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sgdphys.network.clouds.plan import TrainingPlan
    from sgdphys.network.clouds.snapshots import Snapshot
    from sgdphys.network.recording.settings import Recording

__all__ = ["recorded_bytes", "recorded_cloud"]


def recorded_bytes(plan: TrainingPlan, recording: Recording) -> int:
    """Return the bytes that a recording of all replicas takes at its end, with what it compares positions with.

    Parameters
    ----------
    plan
        The run.
    recording
        What is kept of it.

    Returns
    -------
    int
        Twice the rows, which are joined at the end, and two copies of the parameters.
    """
    first, last, dim = plan.beginning.step, plan.last, plan.network.dim
    lines = last // recording.every - first // recording.every
    frames = last // recording.frames - first // recording.frames + (first == 0)
    directions = 0 if recording.basis is None else recording.directions.shape[1]
    anchors = sum(
        recording.keeps_anchor(step) for step in _candidates(recording.anchors, last) if first <= step <= last
    )
    state = dim * (2 if plan.rule.settings.momentum else 1)
    rows = len(SCALARS) * lines + (recording.sketch + directions) * frames + state * anchors
    return plan.rule.objective.model.initial.element_size() * plan.count * (2 * rows + 2 * dim)


def _candidates(per_decade: int, last: int) -> set[int]:
    """Return the steps up to ``last`` among which the anchors are."""
    powers = range(math.ceil(per_decade * math.log10(last)) + 1 if per_decade else 0)
    return {0} | {round(10 ** (power / per_decade)) for power in powers}


def recorded_cloud(
    plan: TrainingPlan, parts: Sequence[tuple[NDArray[np.int64], xr.Dataset]], last: Snapshot, engine: str
) -> xr.Dataset:
    """Return the recordings of the groups of a run as one.

    Parameters
    ----------
    plan
        The run; its clock tells the times.
    parts
        Numbers of the replicas and recording of each group.
    last
        State at the end.
    engine
        Who computed it.

    Returns
    -------
    xr.Dataset
        Recorded variables of all replicas, and which of them diverged.
    """
    first = parts[0][1]
    variables: dict[str, Any] = {}
    for name, variable in first.data_vars.items():
        values = variable.values
        if schema.PARTICLE in variable.dims:
            axis = variable.dims.index(schema.PARTICLE)
            values = np.empty((*values.shape[:axis], plan.count, *values.shape[axis + 1 :]), values.dtype)
            for rows, part in parts:
                values[(slice(None),) * axis + (rows,)] = part[name].values
        variables[str(name)] = (variable.dims, values, variable.attrs)
    lost = np.logical_not(np.isfinite(last["position"]).all(axis=1))
    variables["diverged"] = (schema.PARTICLE, lost, schema.describe("diverged"))
    whole = xr.Dataset(variables, coords={str(name): c for name, c in first.coords.items()})
    for growing, (step, time) in AXES.items():
        if step in whole.coords:
            times = np.asarray(plan.clock.time(whole[step].values), np.float64)
            whole = whole.assign_coords({time: (growing, times, schema.describe(time))})
    attributes = {**schema.attributes_of(plan.configuration, sgdphys.__version__), "engine": engine}
    return whole.assign_attrs(attributes)
