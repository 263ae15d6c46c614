"""Work and heat under a protocol, and the exponential average that tells a free-energy difference."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import ObserverKernel
from sgdphys.kernels.energies import listed
from sgdphys.kernels.observing import GRANULE
from sgdphys.kernels.staged_work import staged_work
from sgdphys.kernels.work import work
from sgdphys.landscapes.quadratic import Quadratic
from sgdphys.observers.naming import NamedObserver
from sgdphys.observers.observation import Observation, Run, Timing, Variables
from sgdphys.observers.staged_energies import StagedEnergy
from sgdphys.protocols import Landscape, Term

__all__ = ["Work"]

Array = NDArray[np.float64]
_KERNEL = ObserverKernel(work)
_OF_STAGES = ObserverKernel(staged_work)
_FEWEST = 100  # effective samples below which an exponential average means little


@dataclass(frozen=True)
class Work(NamedObserver):
    r"""Work, reduced work and heat of each particle while a landscape or the temperature changes.

    A step moves a particle at constant energy function and temperature, which change between the steps:

    .. math::
        W = \sum_k f(x_k, t_k) - f(x_k, t_{k-1}), \qquad
        w = \sum_k \frac{f(x_k, t_k)}{T_k} - \frac{f(x_k, t_{k-1})}{T_{k-1}}, \qquad
        Q = f(x_n, t_n) - f(x_0, t_0) - W .

    From the stationary state of D = 1 on, :math:`e^{-f/T}`, the average :math:`\langle e^{-w} \rangle` is
    :math:`Z_1/Z_0` up to the bias of the time step. For other D that state is :math:`e^{-\Phi/T}` with another
    potential, f/c for D = c 1: give it as ``energy``. That of SGD with Gaussian noise depends on the learning rate as
    well: with an energy for each stage of the schedule the average is :math:`Z_1/Z_0` without any bias
    (:func:`sgdphys.analysis.stationary_energies`). At T = 0 the reduced work is NaN. In underdamped motion f is
    :math:`f + v^2/2` throughout; SGD with momentum, whose velocity is another quantity, is refused.

    Variables: ``work``, ``reduced_work``, ``heat`` (taken up; all of the particle, NaN where it is lost), and
    ``exponential_work``, the average of exp(-w), with ``_standard_error`` and its ``effective_sample_size``
    (sum of weights squared over sum of squares), which is warned of below 100. Memory: 24 bytes per particle.

    Parameters
    ----------
    energy
        ``"loss"``, that of the landscape that is simulated, with the weight decay of SGD; or another landscape, such
        as a quadratic Phi. One with a protocol is taken to follow that of the run. Or a list of pairs (landscape,
        number of steps), an energy for each stage of an ``SGDSchedule``; the last one holds after its end.
    name
        Word that begins the names of the variables.

    Raises
    ------
    ValueError
        The energy is no landscape and no list of stages.

    References
    ----------
    Jarzynski 1997, Phys. Rev. Lett. 78, 2690, equation 2; Hatano & Sasa 2001, Phys. Rev. Lett. 86, 3463, for Phi.
    """

    energy: Literal["loss"] | Landscape | StagedEnergy | Sequence[tuple[Landscape, int]] = "loss"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.energy, (list, tuple)):
            object.__setattr__(self, "energy", StagedEnergy(self.energy))
        if isinstance(self.energy, StagedEnergy):
            return
        if not (isinstance(self.energy, str) and self.energy == "loss") and not hasattr(self.energy, "potential_terms"):
            raise ValueError(f"energy must be 'loss' or a landscape, got {self.energy!r:.60}")

    def steps(self, first: int, last: int, clock: Timing) -> NDArray[np.int64]:  # noqa: ARG002
        """Return the last step, at which the heat follows."""
        return np.array([last], dtype=np.int64)

    def observe(self, run: Run) -> Observation:
        """Return the observer made ready for a run.

        Parameters
        ----------
        run
            The run that it joins.

        Returns
        -------
        Observation
            Kernel, parameters and memory.

        Raises
        ------
        ValueError
            Nothing changes in time, the energy does not fit, or the run is SGD with momentum.
        """
        if run.of_sgd and not run.overdamped:
            raise ValueError(
                "Work is not known for SGD with momentum, whose state with velocities is not exp(-f/T); use one of the "
                "underdamped integrators, BAOAB for one, or momentum=0"
            )
        kernel, parameters = self._of_stages(run) if isinstance(self.energy, StagedEnergy) else self._of_one(run)
        return Observation(
            kernel=kernel,
            parameters=parameters,
            result=lambda own, _tables, _times: self.named(_variables(own)),
            every_step=True,
            own_rows=3,
            rows=2,
            columns=GRANULE,
            counts=True,
            initial=np.nan,
        )

    def _of_stages(self, run: Run) -> tuple[ObserverKernel, Array]:
        assert isinstance(self.energy, StagedEnergy)
        _check_dim(self.energy, run)
        if hasattr(run.landscape, "protocol"):
            raise ValueError("an energy in stages needs a landscape without a protocol; give one with the protocol")
        return _OF_STAGES, self.energy.numbers(run.dim, run.bound, run.first)

    def _of_one(self, run: Run) -> tuple[ObserverKernel, Array]:
        base, drive = self._parts(run)
        if run.temperature is not None and not hasattr(run.landscape, "protocol"):
            raise ValueError("Work needs something that changes: a landscapes.Driven, or a temperature in time")
        return _KERNEL, np.concatenate([[run.dim, run.bound, run.first], listed(base), listed(drive)])

    def _parts(self, run: Run) -> tuple[Any, Any]:
        """Return the terms of the energy that stay, and of those that the protocol multiplies."""
        energy: Any = run.landscape if isinstance(self.energy, str) else self.energy
        if not hasattr(energy, "potential_terms"):
            raise ValueError(f"{type(energy).__name__} has no potential: give Work(energy=...) a landscape")
        _check_dim(energy, run)
        decay = self._decay(run)
        if not hasattr(energy, "protocol"):
            return (*energy.potential_terms(), *decay), ()
        if energy is not run.landscape and getattr(run.landscape, "protocol", None) != energy.protocol:
            raise ValueError("an energy with a protocol must have that of the landscape that is simulated")
        return (*energy.base.potential_terms(), *decay), energy.drive.potential_terms()

    def _decay(self, run: Run) -> tuple[Term, ...]:
        if not isinstance(self.energy, str) or run.weight_decay == 0:
            return ()
        return Quadratic(run.weight_decay * np.eye(run.dim)).potential_terms()


def _check_dim(energy: Any, run: Run) -> None:
    if energy.dim != run.dim:
        raise ValueError(f"the energy must have {run.dim} coordinates like the run, got {energy.dim}")


def _variables(own: Array) -> Variables:
    done, reduced, heat = own
    with np.errstate(all="ignore"):
        reduced = np.where(np.isnan(done), np.nan, reduced)
    mean, error, effective = _exponential_average(reduced[np.isfinite(reduced)])
    return {
        "work": (("particle",), done),
        "reduced_work": (("particle",), reduced),
        "heat": (("particle",), heat),
        "exponential_work": ((), np.array(mean)),
        "exponential_work_standard_error": ((), np.array(error)),
        "effective_sample_size": ((), np.array(effective)),
    }


def _exponential_average(values: Array) -> tuple[float, float, float]:
    """Return mean and standard error of exp(-w), and the effective number of samples (Kish 1965)."""
    if not len(values):
        return np.nan, np.nan, np.nan
    weights = np.exp(values.min() - values)
    with np.errstate(over="ignore"):
        scale = np.exp(-values.min())
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    if effective < _FEWEST:
        warnings.warn(
            f"the average of exp(-w) rests on {effective:.3g} effective samples of {len(values)}: neither it nor its "
            "standard error can be trusted; use more particles or a slower protocol",
            UserWarning,
            stacklevel=2,
        )
    return float(scale * weights.mean()), float(scale * weights.std() / np.sqrt(len(values))), effective
