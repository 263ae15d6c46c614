"""From the arguments of ``simulate`` to an equation that can be stepped."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys import schema
from sgdphys.checks import finite_number
from sgdphys.integrators import EulerMaruyama, StochasticGradient
from sgdphys.kernels.blocks import pack
from sgdphys.noises import Isotropic
from sgdphys.protocols import Integrator, Landscape, Noise
from sgdphys.sgd import SGD
from sgdphys.simulation.engine import Programs

__all__ = ["Dynamics", "settle"]


@dataclass(frozen=True)
class Dynamics:
    """A landscape, its noise, an integrator, and the time step and temperature they are run at."""

    landscape: Landscape
    noise: Noise
    integrator: Integrator
    sgd: SGD | None
    dt: float
    temperature: float
    settings: NDArray[np.float64]

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.landscape.dim

    @property
    def rows(self) -> int:
        """Rows of the state."""
        return self.integrator.rows(self.dim)

    @property
    def coordinate_names(self) -> list[str]:
        """Names of the coordinates: the landscape's, or x, y, z."""
        return list(getattr(self.landscape, "coordinate_names", schema.coordinate_names(self.dim)))

    def programs(self, key: int) -> Programs:
        """Compile what the loop runs."""
        return Programs(
            gradient=pack(self.landscape.gradient_terms()),
            kick=pack([self.noise.kick_term(self.dim)]),
            step=self.integrator.step,
            settings=self.settings,
            dim=self.dim,
            rows=self.rows,
            channels=self.noise.channels(self.dim),
            key=key,
        )

    def configuration(self) -> dict[str, Any]:
        """Return what names the dynamics, as plain values."""
        describe = getattr(self.landscape, "configuration", lambda: {"landscape": type(self.landscape).__qualname__})
        return {
            "landscape": describe(),
            "noise": self.noise.configuration(),
            "integrator": type(self.integrator).__name__,
            "sgd": None if self.sgd is None else dataclasses.asdict(self.sgd),
            "temperature": self.temperature,
            "dt": self.dt,
        }


def settle(
    landscape: Landscape,
    noise: Noise | None,
    sgd: SGD | None,
    temperature: float | None,
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
        temperature, dt = _thermal(temperature, dt)
        noise = Isotropic(1.0) if noise is None else noise
        integrator = EulerMaruyama() if integrator is None else integrator
    else:
        noise = _noise_of_sgd(landscape, noise, sgd, temperature, dt)
        temperature, dt = sgd.effective_temperature, sgd.lr
        integrator = StochasticGradient(momentum=sgd.momentum > 0) if integrator is None else integrator
    noise.kick_term(landscape.dim)  # refuses a noise of another number of coordinates before anything is compiled
    settings = integrator.settings(dt, temperature, sgd)
    return Dynamics(landscape, noise, integrator, sgd, dt, temperature, settings)


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
        ("sgd", sgd, SGD, "SGD(lr=0.1, batch_size=8)"),
        ("integrator", integrator, Integrator, "integrators.EulerMaruyama()"),
    ):
        if value is not None and (isinstance(value, type) or not isinstance(value, kind)):
            raise ValueError(f"{name} must be an object such as {example}, got {value!r:.60}")


def _thermal(temperature: float | None, dt: float | None) -> tuple[float, float]:
    if temperature is None or dt is None:
        raise ValueError("give sgd=, or both temperature= and dt=")
    temperature = finite_number("temperature", temperature, sign="not negative")
    return temperature, finite_number("dt", dt, sign="positive")


def _noise_of_sgd(
    landscape: Landscape, noise: Noise | None, sgd: SGD, temperature: float | None, dt: float | None
) -> Noise:
    if temperature is not None or dt is not None:
        raise ValueError(
            "give sgd= or temperature= and dt=, not both: SGD has the time step lr and its own temperature"
        )
    if noise is None:
        raise ValueError(
            "sgd= needs a noise, the covariance of the per-sample gradients: for instance noises.Isotropic(1.0)"
        )
    if sgd.weight_decay and getattr(landscape, "origin", None) is not None:
        raise ValueError(
            "this landscape is a network's twin and holds the weight decay already: give an SGD with weight_decay=0"
        )
    return noise
