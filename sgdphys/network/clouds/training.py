"""Clouds of real networks: many replicas of one network under real stochastic gradient descent."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

from sgdphys.errors import DivergenceWarning
from sgdphys.network.clouds.cloud_frames import frames_for
from sgdphys.network.clouds.engines import Engine, Resources, untimed_engine
from sgdphys.network.clouds.plan import plan_of
from sgdphys.network.clouds.run import run
from sgdphys.theory.linear_maps import stiffness_limit

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import torch
    import xarray as xr
    from numpy.typing import ArrayLike

    from sgdphys.network.clouds.dynamics import Descent
    from sgdphys.network.clouds.plan import TrainingPlan
    from sgdphys.network.problem import Network
    from sgdphys.network.recording.settings import Recording
    from sgdphys.schedules import SGDSchedule
    from sgdphys.sgd import SGD

__all__ = ["steady_engine", "train"]


def train(
    network: Network,
    sgd: SGD | SGDSchedule | Sequence[SGD],
    *,
    dynamics: Descent | None = None,
    n_replicas: int | None = None,
    n_steps: int | None = None,
    start: Any = None,
    save_at: int | ArrayLike = 21,
    seed: int | Sequence[int] = 0,
    point: tuple[int, ...] = (),
    record_potential: bool = False,
    record: Recording | None = None,
    storage: Literal["float64", "float32"] = "float64",
    engine: Engine = "auto",
    threads: int | None = None,
    devices: Sequence[torch.device | str] | None = None,
    compile: bool | None = None,  # noqa: A002 - what torch calls it
    store: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool | None = None,
) -> xr.Dataset:
    r"""Train many replicas of a network and return their cloud.

    Each replica draws its own minibatches and moves by torch's heavy ball,
    :math:`v \leftarrow \mu v + g_\mathrm{batch} + \mathrm{wd}\, x,\; x \leftarrow x - \mathrm{lr}\, v`, with the weight
    decay of the network, or by its forms with dampening or Nesterov's step (see ``SGD``), or by other ``dynamics``. All
    random numbers are a function of seed, point, replica and step alone: indices are the same on CPU and GPU and for
    any number of threads or replicas; weights agree to rounding. A value that breaks its rule is refused with
    ValueError, a cloud that does not fit into memory with MemoryLimitError.

    A model in training mode is trained as it is. Every replica keeps running statistics of its own, saved as
    ``buffer``. Dropout masks differ between replicas; they repeat with the same seed, engine, device and size of the
    cloud (in the loop engine they depend on seed, replica and step alone).

    Parameters
    ----------
    network
        Model, loss and data; the run uses its device and floating type.
    sgd
        Learning rate, batch size, momentum and its form, sampling; ``weight_decay`` is 0 or that of the network,
        ``n_samples`` None or that of the network. A schedule gives the number of steps too. A list of settings, one for
        each replica, trains them side by side: replica r sees what it would see in a cloud of its own settings.
    dynamics
        ``network.GradientDescent()``, ``LangevinDescent(temperature)``, ``VarianceAmplifiedDescent(l)``,
        ``GaussianDescent(factor)``; None for SGD itself, ``MinibatchDescent()``.
    n_replicas
        Size of the cloud; if not given, that of ``start``, ``sgd`` or ``seed``, else 100.
    n_steps
        Number of further steps; with a schedule by default to its end.
    start
        Parameters (coordinate,) or (particle, coordinate); None for those of the network. An earlier cloud goes on from
        its last frame and absolute step, with its velocities and buffers; with the same seed that is the run without
        the break.
    save_at
        Number of equally spaced frames including both ends (1: the final state alone), or an array of times, snapped to
        steps. A trained cloud without a frame would hold nothing: 0 is refused.
    seed, point
        Name the random numbers; different points of a sweep are independent. A list gives each replica its own seed.
    record_potential
        Also save the regularised loss over the whole data set at the frames.
    record
        Settings of a recording (``network.Recording``), kept in place of frames where the parameters are many:
        ``save_at`` is not looked at then. Losses and gradient norms are those of the minibatch, without weight decay.
    storage
        ``"float32"`` halves what is stored; such a cloud cannot be continued.
    engine
        ``"vectorised"``: stacked replicas, fast for small networks. ``"loop"``: one after the other, fast for
        convolutions, and for every model. ``"processes"``: each of ``threads`` processes has a share of the replicas,
        for models that hold Python's lock for long; model and loss must be picklable. ``"compiled"``: as ``compile``.
        ``"auto"`` loops what torch cannot stack, stacks small networks, times both for others and takes the faster one;
        the attribute ``engine`` tells which. They agree to rounding.
    threads
        Number of threads, among which the replicas are divided; default all cores.
    devices
        Devices that share the replicas, as ``["cuda:0", "cuda:1"]``; default that of the network alone.
    compile
        Whether ``torch.compile`` makes one program of the forward and backward pass of stacked replicas; None where
        that would save more than a minute. Without a C++ compiler, which it needs on the CPU, a line is logged and the
        run goes on as it is.
    store
        Directory for a Zarr store, written frame by frame; the result is then read from there.
    overwrite, resume
        What to do with a store that is there: replace it, or go on after its last frame, bit for bit on the same
        machine.
    progress
        True or False for the progress bar; None shows it in a terminal once a run takes more than a second.

    Returns
    -------
    xr.Dataset
        ``position(time, particle, coordinate)``, the flat parameters of each replica; with momentum ``velocity``; with
        running statistics ``buffer``; on request ``potential(time, particle)``; ``diverged(particle)``; coordinates
        time = lr * step and step. Where replicas differ in their settings, coordinates ``lr``, ``batch_size`` and
        ``momentum`` (particle), and time counts steps where the learning rates differ (``replicas_of`` selects those of
        one setting, with their own time). The configuration in the attributes.

    Warns
    -----
    DivergenceWarning
        Replicas left for infinity; they are NaN from then on and marked in ``diverged``.

    References
    ----------
    Polyak 1964, USSR Comput. Math. Math. Phys. 4, 1 (heavy ball); Salmon et al. 2011, SC'11 (counters of the indices).
    """
    resources = Resources(_engine_of(start) if engine == "auto" and not compile else engine, threads, devices, compile)
    plan = plan_of(
        network,
        sgd,
        dynamics,
        n_replicas=n_replicas,
        n_steps=n_steps,
        start=start,
        save_at=save_at,
        seed=seed,
        point=point,
        storage=storage,
        record_potential=record_potential,
        record=record,
        stored=store is not None,
    )
    with frames_for(plan, store, resume=resume, overwrite=overwrite) as frames:
        cloud = frames.finish() if getattr(frames, "complete", False) else run(plan, frames, resources, progress)
    _warn_of_divergence(plan, cloud)
    return cloud


def steady_engine(network: Network, sgd: SGD, n_replicas: int) -> Literal["vectorised", "loop"]:
    """Return the engine for a cloud that is trained piece by piece: found without timing, the same whenever asked.

    Parameters
    ----------
    network
        The network; its point does not matter.
    sgd
        Settings of all replicas.
    n_replicas
        Size of the cloud.

    Returns
    -------
    str
        ``"vectorised"`` or ``"loop"``.
    """
    plan = plan_of(network, sgd, n_replicas=n_replicas, n_steps=1, save_at=1)
    state = plan.beginning.state(network, plan.rule.behaviour, momentum=plan.rule.settings.momentum)
    return untimed_engine(plan, state)


def _engine_of(start: Any) -> Any:
    """Return the engine that an earlier cloud of this process goes on with, so that it is the run without the break."""
    told = getattr(start, "attrs", {}).get("engine", "auto")
    return told if told in {"vectorised", "compiled", "loop"} else "auto"


def _warn_of_divergence(plan: TrainingPlan, cloud: xr.Dataset) -> None:
    lost = int(cloud["diverged"].sum())
    if not lost:
        return
    message = f"{lost} of {cloud.sizes['particle']} replicas left for infinity and are marked in 'diverged'"
    settings, network = plan.rule.settings, plan.network
    if settings.uniform and not settings.scheduled and network.objective.obstacle is None:
        limit, formula = stiffness_limit(settings.sgd)
        sharpest = float(network.curvature().top(1, tolerance=1e-3)["eigenvalue"][0])
        message += (
            f"; at the network's point lr * lambda_max = {settings.sgd.lr * sharpest:.3g}, "
            f"stable below {formula} = {limit:.3g}"
        )
    warnings.warn(f"{message}: use a smaller lr", DivergenceWarning, stacklevel=3)
