"""From the arguments of ``simulate`` to an equation that can be stepped."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgdphys import schema
from sgdphys.checks import finite_number
from sgdphys.integrators import EulerMaruyama, StochasticGradient
from sgdphys.integrators.base import Problem
from sgdphys.kernels.blocks import pack
from sgdphys.kernels.loop import NORMALS
from sgdphys.kernels.sampling import BATCH_SIZE_LIMIT
from sgdphys.noises import Isotropic, Minibatch
from sgdphys.protocols import Integrator, Landscape, Noise
from sgdphys.schedules import SGDSchedule, as_schedule
from sgdphys.sgd import SGD
from sgdphys.simulation.programs import Programs

__all__ = ["Dynamics", "settle"]


@dataclass(frozen=True)
class Dynamics:
    """A landscape, its noise, an integrator, and the time step and temperature they are run at.

    Parameters
    ----------
    landscape, noise, integrator
        What is solved, and how.
    sgd
        SGD settings, of the first stage where they are scheduled.
    dt
        Length of a step, of the first one where it is scheduled.
    temperature
        T; None where it has no one value: with a schedule, or with shuffled minibatches.
    temperature_schedule
        T in time, where it is scheduled by time.
    sgd_schedule
        Learning rate and batch size of each step, where they are scheduled.
    """

    landscape: Landscape
    noise: Noise
    integrator: Integrator
    sgd: SGD | None
    dt: float
    temperature: float | None
    temperature_schedule: Any = None
    sgd_schedule: Any = None

    def __post_init__(self) -> None:
        reading = getattr(self.noise, "interpretation", "ito")
        other = getattr(self.integrator, "interpretation", "ito")
        if reading != other and not getattr(self.noise, "has_divergence", True):
            raise ValueError(
                f"{self.noise!r} is read as {reading}, {type(self.integrator).__name__} solves the {other} equation, "
                "and converting needs div D, which this noise does not know: use integrators.EulerMaruyama()"
            )

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.landscape.dim

    @property
    def rows(self) -> int:
        """Rows of the state."""
        return self.integrator.rows(self.dim)

    @property
    def problem(self) -> Problem:
        """What the integrator is fitted to."""
        return Problem(self.landscape, self.noise, self.sgd)

    @property
    def coordinate_names(self) -> list[str]:
        """Names of the coordinates: the landscape's, or x, y, z."""
        return list(getattr(self.landscape, "coordinate_names", schema.coordinate_names(self.dim)))

    @property
    def shuffled(self) -> bool:
        """Whether real minibatches are pieces of shuffled epochs."""
        return self.sgd is not None and self.sgd.sampling == "shuffle"

    @property
    def scheduled(self) -> bool:
        """Whether the numbers of a step change from step to step."""
        driven = hasattr(self.landscape, "protocol")
        return driven or self.shuffled or self.temperature_schedule is not None or self.sgd_schedule is not None

    def programs(self, key: int) -> Programs:
        """Compile what the loop runs."""
        landscape, noise, integrator = self.landscape, self.noise, self.integrator
        sampled = [landscape.sample_term()] if hasattr(landscape, "sample_term") else []
        drive = landscape.drive_terms() if hasattr(landscape, "drive_terms") else ()
        return Programs(
            fields=(
                pack(landscape.gradient_terms()),
                pack(getattr(noise, "divergence_terms", lambda _dim: ())(self.dim)),
                pack(drive),
                pack(sampled),
            ),
            kick=pack([noise.kick_term(self.dim)]),
            deviates=getattr(noise, "deviates", None) or NORMALS,
            step=integrator.step,
            dim=self.dim,
            rows=self.rows,
            channels=noise.channels(self.dim) * integrator.deviates_per_channel,
            ahead=integrator.ahead,
            work_rows=integrator.work_rows(self.dim) + getattr(noise, "work_rows", lambda _dim: 0)(self.dim),
            key=key,
        )

    def configuration(self) -> dict[str, Any]:
        """Return what names the dynamics, as plain values."""
        describe = getattr(self.landscape, "configuration", lambda: {"landscape": type(self.landscape).__qualname__})
        sgd = None if self.sgd is None else dataclasses.asdict(self.sgd)
        if self.sgd_schedule is not None:
            sgd = self.sgd_schedule.configuration()
        scheduled = self.temperature_schedule is not None
        return {
            "landscape": describe(),
            "noise": self.noise.configuration(),
            "integrator": getattr(self.integrator, "name", type(self.integrator).__name__),
            "sgd": sgd,
            "temperature": self.temperature_schedule.configuration() if scheduled else self.temperature,
            "dt": self.dt,
        }


def settle(
    landscape: Landscape,
    noise: Noise | None,
    sgd: Any,
    temperature: Any,
    dt: float | None,
    integrator: Integrator | None,
) -> Dynamics:
    """Check the physical arguments of ``simulate`` and fill in what follows from them.

    Parameters
    ----------
    landscape, noise, sgd, temperature, dt, integrator
        As in ``simulate``.

    Returns
    -------
    Dynamics
        Everything that a step needs.

    Raises
    ------
    ValueError
        They contradict each other or break a rule.
    """
    _check_kinds(landscape, noise, sgd, integrator)
    if sgd is None:
        return _thermal(landscape, noise, temperature, dt, integrator)
    if temperature is not None or dt is not None:
        raise ValueError(
            "give sgd= or temperature= and dt=, not both: SGD has the time step lr and its own temperature"
        )
    return _of_sgd(landscape, noise, sgd, integrator)


def _thermal(
    landscape: Landscape, noise: Noise | None, temperature: Any, dt: float | None, integrator: Integrator | None
) -> Dynamics:
    if temperature is None or dt is None:
        raise ValueError("give sgd=, or both temperature= and dt=")
    dt = finite_number("dt", dt, sign="positive")
    schedule = as_schedule("temperature", temperature) if callable(temperature) else None
    constant = None if schedule is not None else finite_number("temperature", temperature, sign="not negative")
    noise = _bound(Isotropic(1.0) if noise is None else noise, landscape)
    integrator = EulerMaruyama() if integrator is None else integrator
    problem = Problem(landscape, noise, None)
    return Dynamics(landscape, noise, integrator.prepared(problem), None, dt, constant, schedule)


def _of_sgd(landscape: Landscape, noise: Noise | None, sgd: Any, integrator: Integrator | None) -> Dynamics:
    schedule = sgd if isinstance(sgd, SGDSchedule) else None
    first: SGD = sgd if schedule is None else schedule.stages[0][0]
    if noise is None and not hasattr(landscape, "sample_term"):
        raise ValueError(
            "sgd= needs a noise, the covariance of the per-sample gradients: for instance noises.Isotropic(1.0)"
        )
    if first.weight_decay and getattr(landscape, "origin", None) is not None:
        raise ValueError(
            "this landscape is a network's twin and holds the weight decay already: give an SGD with weight_decay=0"
        )
    noise = _bound(Minibatch() if noise is None else noise, landscape)
    if hasattr(landscape, "n_samples"):
        first = _with_samples(first, landscape.n_samples)
        if schedule is not None:
            stages = [(_with_samples(each, landscape.n_samples), steps) for each, steps in schedule.stages]
            schedule = dataclasses.replace(schedule, stages=stages)
    integrator = StochasticGradient() if integrator is None else integrator
    integrator = integrator.prepared(Problem(landscape, noise, first))
    substeps = getattr(integrator, "substeps", 1)
    if schedule is not None and substeps != 1:
        raise ValueError(
            f"{type(integrator).__name__} cuts a step of SGD into {substeps}: give one SGD, not a schedule"
        )
    shuffled = first.sampling == "shuffle"
    temperature = None if shuffled or schedule is not None else first.effective_temperature
    return Dynamics(landscape, noise, integrator, first, first.lr / substeps, temperature, None, schedule)


def _refuse_other_shape(noise: Noise, dim: int) -> None:
    """Refuse a noise whose diffusion has another number of coordinates: its kick would write beyond the state."""
    try:
        shape = np.shape(noise.diffusion(np.zeros((1, dim))))
    except ValueError:  # infinite, as for stable laws
        return
    if shape != (1, dim, dim):
        raise ValueError(
            f"the diffusion of {type(noise).__name__} at one point must have the shape (1, {dim}, {dim}) for the "
            f"{dim} coordinates of the landscape, got {shape}"
        )


def _with_samples(sgd: SGD, n_samples: int) -> SGD:
    if sgd.batch_size > BATCH_SIZE_LIMIT:
        raise ValueError(f"batch_size must be at most {BATCH_SIZE_LIMIT} for real minibatches, got {sgd.batch_size}")
    if sgd.n_samples not in {None, n_samples}:
        raise ValueError(f"sgd.n_samples={sgd.n_samples} is not the landscape's number of samples, {n_samples}")
    return dataclasses.replace(sgd, n_samples=n_samples)


def _bound(noise: Noise, landscape: Landscape) -> Noise:
    """Return the noise fitted to the landscape; refuses one of another number of coordinates before compiling."""
    bound: Noise = noise.bound(landscape) if hasattr(noise, "bound") else noise
    bound.kick_term(landscape.dim)
    _refuse_other_shape(bound, landscape.dim)
    return bound


def _check_kinds(landscape: Any, noise: Any, sgd: Any, integrator: Any) -> None:
    if isinstance(landscape, str):
        raise ValueError(f'landscape must be an object, got text; use landscapes.Expression("{landscape:.60}")')
    if isinstance(landscape, type):
        raise ValueError(f"landscape must be an object such as landscapes.DoubleWell(), got {landscape!r:.60}")
    if not hasattr(landscape, "gradient_terms"):
        raise ValueError(
            f"{type(landscape).__name__} has no kernels for the engine; "
            "wrap it with landscapes.Custom(potential, gradient)"
        )
    for name, value, kind, example in (
        ("noise", noise, Noise, "noises.Isotropic(1.0)"),
        ("sgd", sgd, (SGD, SGDSchedule), "SGD(lr=0.1, batch_size=8)"),
        ("integrator", integrator, Integrator, "integrators.EulerMaruyama()"),
    ):
        if value is not None and (isinstance(value, type) or not isinstance(value, kind)):
            raise ValueError(f"{name} must be an object such as {example}, got {value!r:.60}")
