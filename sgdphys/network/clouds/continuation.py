"""Whether a run that goes on is the run that it goes on from: its store, or an earlier cloud."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

from sgdphys.errors import StoreError
from sgdphys.kernels.philox import STEP_LIMIT
from sgdphys.network.clouds.settings import settings_told
from sgdphys.network.digests import difference
from sgdphys.schedules import SGDSchedule
from sgdphys.sgd import SGD

if TYPE_CHECKING:
    from pathlib import Path

    from sgdphys.network.clouds.settings import ReplicaSettings
    from sgdphys.network.problem import Network

__all__ = ["check_continuation", "refuse_another_run"]


def refuse_another_run(path: Path, told: Any, configuration: str) -> None:
    """Refuse to go on with the store of another run.

    Parameters
    ----------
    path
        Directory of the store.
    told
        The configuration that it holds, JSON text or None. One from before there were hashes of the network is compared
        without them.
    configuration
        That of the run.

    Raises
    ------
    StoreError
        They differ; the message tells in what.
    """
    there, here = _read(told), json.loads(configuration)
    names = [name for name in {**there, **here} if name != "network" and there.get(name) != here.get(name)]
    network = difference(there.get("network", {}), here["network"])
    if network:
        names.insert(0, f"network ({network})")
    if names:
        raise StoreError(
            f"{path} belongs to another run, with another {', '.join(names[:4])}; "
            "choose another store=, or overwrite=True"
        )


def check_continuation(start: Any, network: Network, settings: ReplicaSettings) -> None:
    """Check that settings and network can go on from an earlier cloud as its configuration tells it.

    Parameters
    ----------
    start
        A cloud, or anything else, of which nothing is asked.
    network, settings
        Of the run that goes on.

    Raises
    ------
    ValueError
        A shuffled order would be taken up elsewhere than where it was left.

    Warns
    -----
    RuntimeWarning
        Another network goes on.
    """
    told = _read(getattr(start, "attrs", {}).get("configuration"))
    if told.get("verb") != "train":
        return
    other = difference(told.get("network", {}), network.configuration())
    if other:
        message = f"start: the cloud is one of another network ({other}); its replicas go on with this one's"
        warnings.warn(message, RuntimeWarning, stacklevel=4)
    before = settings_told(told["sgd"]) if "sgd" in told else None
    if before is not None and start.sizes["time"] and "step" in start.coords:
        _check_order(before, settings, int(start["step"][-1]))


def _check_order(before: Any, settings: ReplicaSettings, step: int) -> None:
    """Refuse a shuffled order that would not go on where it was left."""
    pairs = [(before, kind) for kind in range(len(settings.schedules))]
    if isinstance(before, list):
        pairs = list(dict.fromkeys(zip(before, settings.of_replica.tolist(), strict=False)))
    for sgd, kind in pairs:
        there, here = _schedule(sgd), settings.schedules[kind]
        if there.sgd.sampling != "shuffle" or here.sgd.sampling != "shuffle":
            continue
        (epoch, used), (next_epoch, next_used) = (
            [int(place) for place in schedule.epoch_and_offset(step)] for schedule in (there, here)
        )
        at_its_end = used == next_used == 0 and next_epoch >= epoch
        if (epoch, used) != (next_epoch, next_used) and not at_its_end:
            raise ValueError(
                f"start: the cloud's shuffled order was left after {used} samples of epoch {epoch}, these settings "
                f"would take it up after {next_used} of epoch {next_epoch}; give sgd=SGDSchedule([(former settings, "
                f"{step}), (new settings, n)]), whose order goes on"
            )


def _schedule(sgd: SGD | SGDSchedule) -> SGDSchedule:
    return sgd if isinstance(sgd, SGDSchedule) else SGDSchedule([(sgd, STEP_LIMIT)])


def _read(text: Any) -> dict[str, Any]:
    try:
        told = json.loads(text) if isinstance(text, str) else {}
    except json.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}
