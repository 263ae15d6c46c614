"""First-passage times into a region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sgdphys.formula import HalfSpace, parse_region
from sgdphys.kernels import ObserverKernel
from sgdphys.kernels.observing import first_passage
from sgdphys.observers.observation import Observation, Run

__all__ = ["FirstPassage"]

_KERNEL = ObserverKernel(first_passage)


@dataclass(frozen=True)
class FirstPassage:
    r"""The time at which each particle first lies in a region.

    Looked at after every step, so the chain's own first passage: a continuous path may have entered and left between
    two steps. With ``bridge=True`` such crossings are drawn from the Brownian bridge between the two ends, which
    cross the boundary with probability :math:`\exp(-2 l_0 l_1 / (2 T D\,dt))` for ends at the distances l0 and l1
    from it and D the diffusion across it.

    Parameters
    ----------
    region
        Text such as ``"x > 0"`` or ``"x > 0 and y < 1"``.
    bridge
        Correct for crossings between steps; the region must compare one coordinate with a number.

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
            parameters=np.array([_as_number(term.kernel.address), *bridge, *term.parameters]),
            result=lambda own, _tables, _times: {"first_passage_time": (("particle",), own[0])},
            every_step=True,
            own_rows=2,
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
        diffusion = run.noise.diffusion(np.zeros((1, run.dim)))[0, boundary.coordinate, boundary.coordinate]
        if diffusion == 0 or run.temperature == 0:
            raise ValueError("bridge=True needs noise across the boundary, its diffusion is 0 there")
        return 1.0, float(diffusion), float(boundary.coordinate), boundary.level


def _as_number(address: int) -> float:
    # an address travels among the parameters as the bits of a float64
    return float(np.array([address], dtype=np.uint64).view(np.float64)[0])
