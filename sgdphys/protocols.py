"""What a landscape, a noise, an integrator and an observer must offer: shapes, units and signs, stated once.

Any object with these members serves; no base class and no registration is needed. At the Python face arrays are
``(particle, coordinate)`` float64; inside the engine a block of particles is coordinate-major, ``(coordinate, lane)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["BlockKernel", "Curved", "Integrator", "Landscape", "Noise", "Term"]


class BlockKernel(Protocol):
    """A compiled function that works on one block of particles; made by :mod:`sgdphys.kernels`."""

    @property
    def address(self) -> int:
        """Machine address of the compiled function; compiles or loads it on first use."""
        ...


class Term(Protocol):
    """One summand of a field: ``out += factor * kernel(x, parameters)``; see ``sgdphys.kernels.BlockTerm``."""

    @property
    def kernel(self) -> BlockKernel:
        """The compiled block function."""
        ...

    @property
    def parameters(self) -> Array:
        """Its numbers, a flat float64 array."""
        ...

    @property
    def factor(self) -> float:
        """What the kernel's value is multiplied by."""
        ...


@runtime_checkable
class Landscape(Protocol):
    """A loss or potential energy f(x) of ``dim`` coordinates.

    ``gradient`` is the derivative, not the force (which is its negative). Units: f in loss, the gradient in loss/x.
    """

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        ...

    def potential(self, x: Array) -> Array:
        """Return f at the points ``x`` (particle, coordinate), shape (particle,), in loss."""
        ...

    def gradient(self, x: Array) -> Array:
        """Return the derivative of f at ``x`` (particle, coordinate), same shape, in loss/x."""
        ...

    def gradient_terms(self) -> tuple[Term, ...]:
        """Return the block kernels whose sum is the gradient; the particle engine runs them.

        A landscape for grids and analyses only may leave this member out.
        """
        ...

    def potential_terms(self) -> tuple[Term, ...]:
        """Return the block kernels whose sum is the potential, written to one row."""
        ...


@runtime_checkable
class Curved(Protocol):
    """A landscape that also knows its second derivatives."""

    def hessian(self, x: Array) -> Array:
        """Return the second derivatives at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        ...


@runtime_checkable
class Noise(Protocol):
    """Noise with diffusion D(x) = B(x) B(x)^T, a gradient covariance, in loss^2/x^2.

    Noise objects hold D, never its root. Over a time dt at temperature T the engine adds sqrt(2 T dt) B(x) xi. What
    ``noises.BlockNoise`` supplies besides these members (``additive``, ``diagonal``, ``interpretation``,
    ``divergence_terms``, ``work_rows``, ``amplitude``, ...) may be left out by a constant Gaussian noise.
    """

    def diffusion(self, x: Array) -> Array:
        """Return D at ``x`` (particle, coordinate), shape (particle, coordinate, coordinate)."""
        ...

    def kick_term(self, dim: int) -> Term:
        """Return the kernel that writes ``base + factor * B(x) xi`` for ``dim`` coordinates, and its parameters.

        Raises ValueError when the noise does not fit ``dim`` coordinates.
        """
        ...

    def channels(self, dim: int) -> int:
        """Return how many independent normals one kick of ``dim`` coordinates consumes."""
        ...

    def configuration(self) -> dict[str, Any]:
        """Return what a store needs to name this noise (small values only)."""
        ...


@runtime_checkable
class Integrator(Protocol):
    """A time stepper: what it solves and how accurately, and its step on a block.

    ``integrators.BlockIntegrator`` supplies all members but the step.
    """

    @property
    def step(self) -> Callable[..., None]:
        """Plain function of the signature that ``kernels.steps`` states."""
        ...

    @property
    def deviates_per_channel(self) -> int:
        """How many normals of each channel of the noise one step uses."""
        ...

    @property
    def ahead(self) -> int:
        """1 where a step also reads the normals of the next one, else 0."""
        ...

    def rows(self, dim: int) -> int:
        """Return the rows of the state of ``dim`` coordinates; positions come first, velocities after them."""
        ...

    def work_rows(self, dim: int) -> int:
        """Return the rows of scratch of a step, besides those of the noise."""
        ...

    def prepared(self, problem: Any) -> Integrator:
        """Return the integrator fitted to landscape, noise and SGD; raise ValueError naming both where it does not."""
        ...

    def settings(self, pace: Any, problem: Any) -> Array:
        """Return the method's own numbers, shape (step, number), for steps of the given lengths and temperatures."""
        ...
