"""Any window of a trained cloud once more, at full resolution, from its seed and the nearest state that was kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import whole_number
from sgdphys.network.clouds import dynamics as descents
from sgdphys.network.clouds.plan import plan_of
from sgdphys.network.clouds.settings import settings_told
from sgdphys.network.clouds.training import train
from sgdphys.network.digests import difference
from sgdphys.provenance import digest
from sgdphys.store import open_store

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike

    from sgdphys.network.problem import Network

__all__ = ["replay"]


def replay(
    network: Network,
    recorded: xr.Dataset | str | os.PathLike[str],
    first_step: int,
    last_step: int,
    *,
    save_at: int | ArrayLike | None = None,
    sgd: Any = None,
    dynamics: descents.Descent | None = None,
    threads: int | None = None,
) -> xr.Dataset:
    """Return a window of a trained cloud with all parameters at every step.

    The minibatches are a function of seed, point, replica and step, so that the run can be taken up at any state that
    was kept: the latest of its frames and anchors not after the window, or its start where that was the network's
    point. On the same machine, with as many threads, the result is that of a run that had saved it, bit for bit.

    Parameters
    ----------
    network
        The network that was trained.
    recorded
        Cloud of ``train``, or the path of its store.
    first_step, last_step
        Absolute steps between which to look, both included.
    save_at
        As in ``train``, within the window; default every step.
    sgd, dynamics
        Those of the run, where the configuration holds only a hash of them (a schedule of very many stages, the factor
        of ``GaussianDescent``).
    threads
        As in ``train``.

    Returns
    -------
    xr.Dataset
        A cloud as from ``train``.

    Raises
    ------
    ValueError
        The steps are no window, ``recorded`` was not made by ``train`` with this network, or no state before the window
        was kept.
    """
    first, last = whole_number("first_step", first_step, least=0), whole_number("last_step", last_step)
    if last <= first:
        raise ValueError(f"last_step must lie after first_step, got {first} and {last}")
    if recorded is None or not hasattr(network, "configuration"):
        raise ValueError("replay needs the network that was trained, and its cloud or the path of its store")
    source = recorded if isinstance(recorded, xr.Dataset) else open_store(recorded)
    configuration = _configuration(source, network)
    settings: dict[str, Any] = {
        "sgd": _sgd(configuration["sgd"]) if sgd is None else sgd,
        "dynamics": _dynamics(configuration) if dynamics is None else dynamics,
        "seed": configuration["seed"],
        "point": tuple(configuration["point"]),
    }
    start, step = _state_before(source, configuration, network, first)
    settings |= {"start": start, "n_steps": last - step, "n_replicas": configuration["n_particles"]}
    plan = plan_of(network, save_at=1, storage="float64", record_potential=False, **settings)
    if plan.rule.behaviour.buffers and isinstance(start, xr.Dataset) and "buffer" not in start:
        raise ValueError("the model has running statistics, which anchors do not hold: replay from a frame")
    times = _times(save_at, plan.clock.time(np.arange(first, last + 1)))
    return train(network, **settings, save_at=times, engine=source.attrs.get("engine", "auto"), threads=threads)


def _configuration(source: xr.Dataset, network: Network) -> dict[str, Any]:
    text = source.attrs.get("configuration")
    configuration: dict[str, Any] = json.loads(text) if isinstance(text, str) else {}
    if configuration.get("verb") != "train":
        raise ValueError("only a cloud of sgdphys.train can be replayed: its configuration names the random numbers")
    other = difference(configuration["network"], network.configuration())
    if other:
        raise ValueError(f"the cloud is one of a network with other {other}; give that one")
    return configuration


def _sgd(told: dict[str, Any]) -> Any:
    sgd = settings_told(told)
    if sgd is None:
        raise ValueError("the cloud holds a hash of its schedule only; give sgd=")
    return sgd


def _dynamics(configuration: dict[str, Any]) -> descents.Descent:
    kind = getattr(descents, configuration["dynamics"], None)
    if kind is None or "factor" in configuration:
        raise ValueError(f"the cloud holds no more than the name of {configuration['dynamics']}; give dynamics=")
    names = [name for name in ("temperature", "gradient", "amplification") if name in configuration]
    chosen: descents.Descent = kind(**{name: configuration[name] for name in names})
    return chosen


def _state_before(source: xr.Dataset, configuration: dict[str, Any], network: Network, first: int) -> tuple[Any, int]:
    """Return the latest state kept at or before a step, as ``train`` takes it, and its step."""
    found = [state for state in (_frame(source, network.dim, first), _anchor(source, first)) if state is not None]
    if found:
        latest = max(found, key=lambda state: int(state["step"][-1]))
        return latest, int(latest["step"][-1])
    if configuration["first_step"] == 0 and configuration["start"] == {"network": digest(network.parameters)}:
        return None, 0
    raise ValueError(f"the cloud holds no state at or before step {first}, and did not start from this network's point")


def _frame(source: xr.Dataset, dim: int, first: int) -> xr.Dataset | None:
    if not (schema.is_cloud(source) and schema.STEP in source.coords) or source.sizes[schema.COORDINATE] != dim:
        return None
    index = int(np.searchsorted(source[schema.STEP].values, first, side="right")) - 1
    if index < 0 or "basis" in source or source["position"].dtype != np.float64:  # rounded, or in other coordinates
        return None
    kept = [name for name in ("position", "velocity", "buffer") if name in source]
    return source[kept].isel({schema.TIME: [index]}).load()


def _anchor(source: xr.Dataset, first: int) -> xr.Dataset | None:
    if "anchor" not in source:
        return None
    index = int(np.searchsorted(source["anchor_step"].values, first, side="right")) - 1
    if index < 0:
        return None
    row = source.isel(anchor_step=[index]).load()
    dims = (schema.TIME, schema.PARTICLE, schema.COORDINATE)
    names = {"anchor": "position", "anchor_velocity": "velocity"}
    variables = {new: (dims, row[old].values.astype(np.float64)) for old, new in names.items() if old in row}
    clock = {"time": row["anchor_time"].values, "step": row["anchor_step"].values}
    return xr.Dataset(variables, coords={name: (schema.TIME, values) for name, values in clock.items()})


def _times(save_at: int | ArrayLike | None, steps: Any) -> ArrayLike:
    if save_at is None:
        return np.asarray(steps)
    if np.ndim(save_at) == 0:
        count = min(whole_number("save_at", save_at), len(steps))
        return np.asarray(steps[np.unique(np.linspace(0, len(steps) - 1, count).round().astype(int))])
    times = np.asarray(save_at, np.float64)
    if not times.size:
        raise ValueError("save_at must hold at least one time")
    if times.min() < steps[0] or times.max() > steps[-1]:
        raise ValueError(f"save_at must lie within the window, {steps[0]:g} to {steps[-1]:g}")
    return times
