"""The run itself: teams of replicas advance from stop to stop, and what they have become is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.network.clouds.engines import chosen_engine, teams_of
from sgdphys.network.clouds.recorded_clouds import recorded_cloud
from sgdphys.network.clouds.snapshots import joined, state_of
from sgdphys.simulation.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from sgdphys.network.clouds.cloud_frames import CloudFrames
    from sgdphys.network.clouds.engines import Resources
    from sgdphys.network.clouds.plan import TrainingPlan
    from sgdphys.network.clouds.replicas import Team
from sgdphys.network.clouds.snapshots import Snapshot

__all__ = ["run"]

_PARTS = 100  # of a run, between which the bar moves


def run(plan: TrainingPlan, frames: CloudFrames, resources: Resources, progress: bool | None) -> xr.Dataset:
    """Train, keep the frames and return the cloud.

    Parameters
    ----------
    plan
        What to do.
    frames
        Where the frames go.
    resources
        Engine, threads, devices.
    progress
        Whether to show a bar.

    Returns
    -------
    xr.Dataset
        The cloud.
    """
    state = plan.beginning.state(plan.network, plan.rule.behaviour, momentum=plan.rule.settings.momentum)
    engine = frames.engine or chosen_engine(plan, state, resources)
    left = frames.begin(engine)
    if left is not None:
        state = state_of(left[0], left[1], plan.rule.objective, plan.rule.behaviour)
    teams = teams_of(plan, state, engine, resources)
    stops = _stops(plan, state.step)
    with ExitStack() as stack:
        for team in teams:
            stack.enter_context(team)
        pool = stack.enter_context(ThreadPoolExecutor(_at_once(plan, engine, len(teams))))
        total = plan.last - plan.beginning.step
        bar = stack.enter_context(
            progress_bar("train", total, "steps", shown=progress, initial=state.step - plan.beginning.step)
        )
        if frames.kept == 0 and len(plan.saved) and plan.saved[0] == state.step:
            frames.keep(_snapshot(teams, plan.count), state.step)
        step = state.step
        for stop in stops:
            _advance(pool, teams, step, stop - step)
            bar.update(stop - step)
            step = stop
            if frames.kept < len(plan.saved) and plan.saved[frames.kept] == step:
                frames.keep(_snapshot(teams, plan.count), step)
        if plan.rule.recording is not None:
            parts = [part for team in teams for part in team.recorded()]
            return recorded_cloud(plan, parts, _snapshot(teams, plan.count), engine)
    return frames.finish()


def _at_once(plan: TrainingPlan, engine: str, teams: int) -> int:
    """Return how many teams advance at a time: one, where they would share torch's generator."""
    return 1 if plan.rule.behaviour.random and engine != "processes" else teams


def _stops(plan: TrainingPlan, first: int) -> list[int]:
    marks = np.linspace(plan.beginning.step, plan.last, _PARTS + 1).round().astype(int)
    return [step for step in sorted({*plan.saved.tolist(), *marks.tolist()}) if step > first]


def _advance(pool: ThreadPoolExecutor, teams: Sequence[Team], step: int, count: int) -> None:
    if len(teams) == 1:
        teams[0].advance(step, count)
        return
    for future in [pool.submit(team.advance, step, count) for team in teams]:
        future.result()


def _snapshot(teams: Sequence[Team], count: int) -> Snapshot:
    if len(teams) == 1:
        return teams[0].snapshot()
    return joined([(team.rows, team.snapshot()) for team in teams], count)
