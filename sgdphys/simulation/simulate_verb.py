"""The verb ``simulate``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from sgdphys.observers.observation import Observer
from sgdphys.protocols import Integrator, Landscape, Noise
from sgdphys.schedules import SGDSchedule
from sgdphys.sgd import SGD
from sgdphys.simulation.dynamics import settle
from sgdphys.simulation.request import Request, as_tuple
from sgdphys.simulation.runner import run

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["simulate"]


def simulate(
    landscape: Landscape,
    noise: Noise | None = None,
    *,
    sgd: SGD | SGDSchedule | None = None,
    temperature: float | Callable[..., Any] | None = None,
    dt: float | None = None,
    t1: float | None = None,
    n_steps: int | None = None,
    n_particles: int | None = None,
    start: Any = None,
    save_at: int | ArrayLike = 101,
    observers: Sequence[Observer] = (),
    integrator: Integrator | None = None,
    seed: int = 0,
    point: tuple[int, ...] = (),
    threads: int | None = None,
    block_size: int | None = None,
    record_potential: bool = False,
    storage: Literal["float64", "float32"] = "float64",
    store: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: bool | None = None,
) -> xr.Dataset:
    r"""Simulate a cloud of particles under drift and diffusion, or real SGD on a finite sum.

    With ``temperature`` and ``dt`` the particles follow :math:`dx = -\nabla f\,dt + \sqrt{2 T D}\,dW` (Ito, unless the
    noise says otherwise); with ``sgd`` they take steps of SGD, with Gaussian gradient noise of covariance
    D/batch_size or with real minibatches, and time is the sum of the learning rates.

    Parameters
    ----------
    landscape
        The loss f.
    noise
        The diffusion D, a gradient covariance in loss^2/x^2; None means ``Isotropic(1)`` with ``temperature``, and
        with ``sgd`` the real minibatches of a finite-sum landscape (it is refused for any other).
    sgd
        Settings of SGD, or a schedule of them (``schedules.SGDSchedule``, which gives the number of steps too); give
        these, or ``temperature`` and ``dt``.
    temperature
        T, not negative; T D is in loss. A schedule or any function of an array of times anneals it.
    dt
        Time step in x^2/loss.
    t1
        Absolute end time, a multiple of the time step; or ``n_steps``.
    n_steps
        Number of further steps.
    n_particles
        Size of the ensemble; if not given, that of the cloud or the array in ``start``, else 10,000.
    start
        A number, an array (coordinate,) or (particle, coordinate), a function of a NumPy generator, an earlier cloud
        to go on from (absolute step, time and state continue, also at another temperature or time step), or None for
        the landscape's first known minimum, else the origin.
    save_at
        Number of frames equally spaced in steps, both ends included (1: the end only, 0: none), or times, snapped
        to steps.
    observers
        Reductions during the run, see ``sgdphys.observers``; they begin anew when a cloud is continued.
    integrator
        None means ``EulerMaruyama`` with ``temperature`` and the map of SGD itself with ``sgd``; the others are in
        ``sgdphys.integrators``.
    seed, point
        Name the noise: equal seed and point give equal bits for any threads, block size, ensemble size and after
        resumption; different points of a sweep are independent.
    threads, block_size
        Number of threads, and lanes of a block (a power of two from 64 to 4096); they change the speed and not one
        bit of the result. A block of fewer lanes, ``block_size=1`` for a single particle, is faster for an ensemble
        that it holds; its results may differ in the last bits.
    record_potential
        Also save f at the frames.
    storage
        ``"float32"`` halves what is stored; the state is float64 always. Particles beyond 1e38 are lost then.
    store
        Directory for a Zarr store, written frame by frame; the result is then read from there.
    overwrite, resume
        What to do with a store that is there: replace it, or go on where it stopped, bit for bit.
    progress
        True or False for the progress bar; None shows it in a terminal once a run takes more than a second.

    Returns
    -------
    xarray.Dataset
        ``position(time, particle, coordinate)``, with momentum ``velocity``, on request ``potential(time,
        particle)``; ``diverged(particle)``; the observers' variables; coordinates time and step, with real minibatches
        also epoch and epoch_phase; the configuration in the attributes.

    Raises
    ------
    ValueError
        An argument breaks its rule; the message names value and rule.
    MemoryLimitError
        The frames would not fit into memory.
    StoreError
        The store exists already, or belongs to another run.

    Warns
    -----
    DivergenceWarning
        Particles left for infinity, beyond a thousand times the scale of the run (starts, minima, spread and drift; see
        ``simulation.bounds``); they are NaN from then on and marked in ``diverged``.

    References
    ----------
    Chaudhari & Soatto 2018 (arXiv 1710.11029), eqs. 2-4.
    """
    request = Request(
        settle(landscape, noise, sgd, temperature, dt, integrator),
        t1=t1,
        n_steps=n_steps,
        n_particles=n_particles,
        start=start,
        save_at=save_at,
        observers=as_tuple("observers", observers),
        seed=seed,
        point=as_tuple("point", point),
        threads=threads,
        block_size=block_size,
        record_potential=record_potential,
        storage=storage,
        store=store,
        overwrite=overwrite,
        resume=resume,
        progress=progress,
    )
    return run(request)
