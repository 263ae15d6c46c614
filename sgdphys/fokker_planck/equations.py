"""What a Fokker-Planck equation is made of, at points: its diffusion, and its drift in units of the diffusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.kernels import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgdphys.protocols import Array, Landscape, Noise

__all__ = ["Equation"]

_MANY = 100_000  # segments above which fewer nodes are used on each
_STEP = 6e-6  # of a central difference, relative to the size of the points


@dataclass(frozen=True)
class Equation:
    r"""The equation :math:`\partial_t p = m \nabla\cdot[p(\nabla f - c + (1 - r) T \nabla\cdot D) + T D \nabla p]`.

    f is the landscape with its weight decay, c its circulating part, r the reading of the noise (0 Ito, 1/2
    Stratonovich, 1 Haenggi-Klimontovich) and m the mobility. Divided by T D the drift becomes the force :math:`A =
    (TD)^{-1}(\nabla f - c) + (1 - r) D^{-1} \nabla\cdot D` without unit. Where A is a gradient, of
    :math:`\Phi/T`, the stationary state is :math:`e^{-\Phi/T}` and has no current.

    Parameters
    ----------
    landscape
        Has ``potential``; ``gradient`` where D is neither constant nor diagonal, ``circulation`` or none.
    noise
        Has ``diffusion``; None means D = 1.
    temperature
        T, positive.
    mobility
        Factor on time: 1, or 1/(1 - momentum) in the time of SGD.
    decay
        Weight decay.
    reading
        r.
    """

    landscape: Landscape
    noise: Noise | None
    temperature: float
    mobility: float
    decay: float
    reading: float

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return int(self.landscape.dim)

    @property
    def circulates(self) -> bool:
        """Whether the drift has a part that is no gradient."""
        return hasattr(self.landscape, "circulation")

    def energy(self, points: Array) -> Array:
        """Return f with the weight decay at points (point, coordinate), in loss."""
        return np.asarray(self.landscape.potential(points) + self.decay / 2 * (points**2).sum(axis=1))

    def diffusion(self, points: Array) -> Array:
        """Return D at points, shape (point, coordinate, coordinate), in loss^2/x^2."""
        if self.noise is None:
            return np.broadcast_to(np.eye(self.dim), (len(points), self.dim, self.dim))
        return np.asarray(self.noise.diffusion(points), dtype=np.float64)

    @property
    def needs_gradient(self) -> bool:
        """Whether differences of the potential do not suffice: D depends on x or mixes coordinates."""
        constant = self.constant_diffusion
        return constant is None or bool(np.any(constant != np.diag(np.diagonal(constant))))

    def exponents(self, start: Array, stop: Array) -> Array:
        """Return the integral of A along the straight segments between points.

        Parameters
        ----------
        start, stop
            Ends of the segments, shape (segment, coordinate).

        Returns
        -------
        Array
            Shape (segment,). Exact differences where they exist, else Gauss-Legendre quadrature: of the potential where
            D is constant and the segments follow its principal axes; of the logarithm of D where it is diagonal.
        """
        constant = self.constant_diffusion
        if constant is not None:
            return self._of_constant(start, stop, constant)
        return self._integral(start, stop, self._work) + self._of_divergence(start, stop)

    @property
    def constant_diffusion(self) -> Array | None:
        """D, where the noise says that it is constant (coordinate, coordinate); else None."""
        if self.noise is None:
            return np.eye(self.dim)
        if not getattr(self.noise, "additive", True):
            return None
        return np.asarray(self.diffusion(np.zeros((1, self.dim)))[0])

    def _of_constant(self, start: Array, stop: Array, diffusion: Array) -> Array:
        along = _common_entry(stop - start, diffusion)
        if along is None:
            return self._integral(start, stop, self._work)
        result = (self.energy(stop) - self.energy(start)) / (self.temperature * along)
        return result - self._integral(start, stop, self._rotation) if self.circulates else result

    def _integral(self, start: Array, stop: Array, integrand: Callable[[Array, Array], Array]) -> Array:
        nodes, weights = np.polynomial.legendre.leggauss(6 if len(start) < _MANY else 3)
        step = stop - start
        parts = (w / 2 * integrand(start + (1 + t) / 2 * step, step) for t, w in zip(nodes, weights, strict=True))
        return np.asarray(sum(parts), dtype=np.float64)

    def _work(self, points: Array, step: Array) -> Array:
        """Return step . (T D)^-1 (grad f - c)."""
        force = np.asarray(self.landscape.gradient(points)) + self.decay * points
        return _quotient(step, self.diffusion(points), force) / self.temperature

    def _rotation(self, points: Array, step: Array) -> Array:
        circulation = self.landscape.circulation(points)  # type: ignore[attr-defined]
        return _quotient(step, self.diffusion(points), circulation) / self.temperature

    def _of_divergence(self, start: Array, stop: Array) -> Array:
        """Return the integral of (1 - r) D^-1 div D."""
        if self.reading == 1:
            return np.zeros(len(start))
        first, last = self.diffusion(start), self.diffusion(stop)
        ratio = _ratio_along(stop - start, first, last, scalar=getattr(self.noise, "kind", None) == "scalar")
        if ratio is not None:
            return (1 - self.reading) * np.log(ratio)
        return (1 - self.reading) * self._integral(
            start, stop, lambda points, step: _quotient(step, self.diffusion(points), self.divergence(points))
        )

    def divergence(self, points: Array) -> Array:
        """Return div D (row i: the sum of d_j D_ij) at points, same shape; a central difference without a kernel."""
        noise: Any = self.noise
        if noise is None or getattr(noise, "additive", True):
            return np.zeros_like(points)
        if getattr(noise, "has_divergence", False):
            return np.asarray(evaluate(noise.divergence_terms(self.dim), np.ascontiguousarray(points), self.dim))
        width = _STEP * max(1.0, float(np.abs(points).max()))
        shifts = width * np.eye(self.dim)
        columns = [
            (self.diffusion(points + shift) - self.diffusion(points - shift))[:, :, j] for j, shift in enumerate(shifts)
        ]
        return np.asarray(sum(columns)) / (2 * width)


def _common_entry(step: Array, diffusion: Array) -> Array | None:
    """Return the D that all steps feel, where each is an eigenvector of a constant D."""
    if np.array_equal(diffusion, diffusion[0, 0] * np.eye(len(diffusion))):
        return np.full(len(step), diffusion[0, 0])
    if np.any(diffusion != np.diag(np.diagonal(diffusion))) or np.any((step != 0).sum(axis=1) > 1):
        return None
    return np.asarray(np.diagonal(diffusion)[np.abs(step).argmax(axis=1)])


def _ratio_along(step: Array, first: Array, last: Array, *, scalar: bool) -> Array | None:
    """Return D_ii at the end over that at the start, where steps follow axes i of a diagonal D or D is a scalar."""
    if scalar:
        return np.asarray(last[:, 0, 0] / first[:, 0, 0])
    diagonal = np.eye(step.shape[1], dtype=bool)
    if np.any(first[:, ~diagonal]) or np.any(last[:, ~diagonal]) or np.any((step != 0).sum(axis=1) > 1):
        return None
    axis, rows = np.abs(step).argmax(axis=1), np.arange(len(step))
    return np.asarray(last[rows, axis, axis] / first[rows, axis, axis])


def _quotient(step: Array, diffusion: Array, force: Array) -> Array:
    if diffusion.shape[-1] == 1:
        return np.asarray(step[:, 0] * force[:, 0] / diffusion[:, 0, 0])
    return np.asarray((step * np.linalg.solve(diffusion, force[:, :, np.newaxis])[:, :, 0]).sum(axis=1))
