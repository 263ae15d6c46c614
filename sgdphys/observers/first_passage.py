"""First-passage times into a region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgdphys.formula import HalfSpace, parse_region
from sgdphys.kernels import ObserverKernel
from sgdphys.kernels.energies import as_number
from sgdphys.kernels.observing import GRANULE, first_passage
from sgdphys.observers.naming import NamedObserver
from sgdphys.observers.observation import Observation, Run, Variables

__all__ = ["FirstPassage"]

_KERNEL = ObserverKernel(first_passage)


@dataclass(frozen=True)
class FirstPassage(NamedObserver):
    r"""The time at which each particle first lies in a region.

    Looked at after every step, so the chain's own first passage: a continuous path may have entered and left between
    two steps. With ``bridge=True`` such crossings are drawn from the Brownian bridge between the two ends, which
    cross the boundary with probability :math:`\exp(-2 l_0 l_1 / (2 T D\,dt))` for ends at the distances l0 and l1
    from it and D the diffusion across it. Variables: ``first_passage_time`` of each particle, NaN where it has not
    happened, and their number ``first_passage_censored``. A particle that starts in the region has the time of the
    start. For several regions give several observers, each with a ``name``. Memory: 8 bytes per particle.

    Parameters
    ----------
    region
        Text such as ``"x > 0"`` or ``"x > 0 and y < 1"``.
    bridge
        Correct for crossings between steps; the region must compare one coordinate with a number.
    name
        Word that begins the names of the variables, so that several can watch one run.

    References
    ----------
    Gobet 2000, Stoch. Proc. Appl. 87, 167, for the bridge.
    """

    region: str
    bridge: bool = False
    at = None

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
            The region does not fit, or the bridge was asked for where it has no formula.
        """
        region = parse_region(self.region, run.dim)
        term = region.term()
        bridge = self._bridge(region.half_space, run) if self.bridge else (0.0,) * 4
        return Observation(
            kernel=_KERNEL,
            parameters=np.array([as_number(term.kernel.address), float(run.first), *bridge, *term.parameters]),
            result=lambda own, _tables, _times: self.named(_variables(own[0])),
            every_step=True,
            own_rows=1,
            rows=1,
            columns=GRANULE,
            counts=True,
            initial=np.nan,
        )

    def _bridge(self, boundary: HalfSpace | None, run: Run) -> tuple[float, ...]:
        if boundary is None:
            raise ValueError(
                f"bridge=True needs a region that compares one coordinate with a number, got {self.region!r}"
            )
        if not run.overdamped:
            raise ValueError("bridge=True is for overdamped motion, the run has momentum; use bridge=False")
        if not getattr(run.noise, "additive", True):
            raise ValueError(
                f"bridge=True is for noise of constant diffusion, got {run.noise!r}; use a small time step"
            )
        if not run.independent_kicks:
            raise ValueError(
                "bridge=True is for integrators whose kicks are independent of each other; use EulerMaruyama, or "
                "bridge=False"
            )
        diffusion = run.noise.diffusion(np.zeros((1, run.dim)))[0, boundary.coordinate, boundary.coordinate]
        if diffusion == 0 or run.temperature == 0:
            raise ValueError("bridge=True needs noise across the boundary, its diffusion is 0 there")
        return 1.0, float(diffusion), float(boundary.coordinate), boundary.level


def _variables(times: NDArray[np.float64]) -> Variables:
    return {
        "first_passage_time": (("particle",), times),
        "first_passage_censored": ((), np.array(np.count_nonzero(np.isnan(times)))),
    }
