"""The check of a noise: its kick has the diffusion that it claims, and the drift of its reading."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels import evaluate
from sgdphys.landscapes import Quadratic
from sgdphys.noises.base import READINGS
from sgdphys.protocols import Noise
from sgdphys.simulation import simulate
from sgdphys.testing.requirements import central_difference, require

__all__ = ["check_diffusion", "check_divergence", "check_kick", "check_noise", "check_root", "kick_roots"]

Array = NDArray[np.float64]
TEMPERATURE, DT = 0.5, 0.01


def check_noise(noise: Any, points: Array, *, landscape: Any = None, n_particles: int = 100_000) -> None:
    r"""Check that a noise keeps what ``protocols.Noise`` promises.

    D is symmetric and not negative, constant where the noise says ``additive`` and diagonal where it says so; the
    kick's root satisfies :math:`B B^T = D` to rounding, and kicks in the engine have the sample covariance 2 T dt D
    around the Ito drift of the noise's reading; div D is the derivative of D.

    Parameters
    ----------
    noise
        Any noise of finite variance.
    points
        Where to look, shape (particle, coordinate); a few points at which it is a noise.
    landscape
        The landscape that it belongs to; a flat one if not given.
    n_particles
        Size of the sample at each point.

    Raises
    ------
    AssertionError
        A property does not hold.
    """
    require(isinstance(noise, Noise), f"{noise!r:.60} lacks members of sgdphys.protocols.Noise")
    dim = points.shape[1]
    landscape = Quadratic(np.zeros((dim, dim))) if landscape is None else landscape
    noise = noise.bound(landscape) if hasattr(noise, "bound") else noise
    check_diffusion(noise, points)
    if getattr(noise, "gaussian", True):
        check_root(noise, points)
    if getattr(noise, "has_divergence", True) and not getattr(noise, "additive", True):
        check_divergence(noise, points)
    check_kick(noise, landscape, points, n_particles)


def check_diffusion(noise: Any, points: Array) -> None:
    """Check that D has its shape, is symmetric and not negative, and as constant and diagonal as the noise says."""
    dim, diffusion = points.shape[1], np.asarray(noise.diffusion(points))
    shape = (len(points), dim, dim)
    require(diffusion.shape == shape, f"D must have shape {shape}, got {diffusion.shape}")
    scale = np.abs(diffusion).max()
    skew = np.abs(diffusion - diffusion.transpose(0, 2, 1)).max()
    require(skew <= 1e-12 * scale, f"D is not symmetric, by {skew:.3g}")
    smallest = np.linalg.eigvalsh(diffusion).min()
    require(smallest >= -1e-10 * scale, f"D has the negative eigenvalue {smallest:.3g}")
    if getattr(noise, "additive", True):
        spread = np.abs(diffusion - diffusion[0]).max()
        require(spread <= 1e-12 * scale, f"D depends on x, by {spread:.3g}, and additive is True")
    if getattr(noise, "diagonal", False):
        rest = np.abs(diffusion * (1 - np.eye(dim))).max()
        require(rest == 0, f"D has off-diagonal entries up to {rest:.3g}, and diagonal is True")


def check_root(noise: Any, points: Array) -> None:
    """Check that B B^T = D at each point, to rounding, and the kick is base + factor * B xi."""
    roots, diffusion = kick_roots(noise, points), noise.diffusion(points)
    scale = np.abs(diffusion).max() + 1e-300
    error = np.abs(roots @ roots.transpose(0, 2, 1) - diffusion).max()
    require(error <= 1e-9 * scale, f"the kick's root B has B B^T off D by {error:.3g}")
    channels = roots.shape[2]
    xi, base = np.random.default_rng(0).normal(size=(2, max(channels, points.shape[1]), len(points)))
    deviates, base = xi[:channels].astype(np.float32), np.ascontiguousarray(base[: points.shape[1]])
    expected = base - 0.7 * np.einsum("pic,cp->ip", roots, deviates)
    error = np.abs(_kicked(noise, points, deviates, -0.7, base) - expected).max()
    require(error <= 1e-6 * (1 + np.sqrt(scale)), f"the kick is not base + factor * B xi, it is {error:.3g} off")


def kick_roots(noise: Any, points: Array) -> Array:
    """Return B at points (particle, coordinate) from the kick's kernel on unit deviates, one channel at a time.

    Parameters
    ----------
    noise
        With a kick that is linear in the deviates.
    points
        Shape (particle, coordinate).

    Returns
    -------
    Array
        Shape (particle, coordinate, channel).
    """
    channels = noise.channels(points.shape[1])
    roots = np.empty((*points.shape, channels))
    for channel in range(channels):
        deviates = np.zeros((channels, len(points)), np.float32)
        deviates[channel] = 1
        roots[:, :, channel] = _kicked(noise, points, deviates, 1.0, np.zeros(points.shape[::-1])).T
    return roots


def _kicked(noise: Any, points: Array, deviates: NDArray[np.float32], factor: float, base: Array) -> Array:
    """Call the kick's kernel once, with scratch that holds NaN."""
    dim = points.shape[1]
    term = noise.kick_term(dim)
    rows = getattr(noise, "work_rows", lambda _dim: 0)(dim)
    out, work = np.empty(base.shape), np.full((rows, len(points)), np.nan)
    lanes, parameters = np.ascontiguousarray(points.T), np.array(term.parameters)
    term.kernel.compiled(deviates, lanes, parameters, factor * term.factor, work, base, out)
    return out


def check_divergence(noise: Any, points: Array, relative: float = 1e-6) -> None:
    """Check that row i of the divergence is the sum of d_j D_ij over j."""
    dim = points.shape[1]
    divergence = evaluate(noise.divergence_terms(dim), points, dim)
    slopes = central_difference(noise.diffusion, points)
    error, scale = np.abs(divergence - np.einsum("pijj->pi", slopes)).max(), np.abs(slopes).max() + 1e-12
    require(error < relative * scale, f"divergence_terms() are not the derivative of D, they are {error:.3g} off")


def check_kick(noise: Any, landscape: Any, points: Array, n_particles: int = 100_000) -> None:
    """Check that the kicks of one step at each point have covariance 2 T dt D, and as mean the Ito drift.

    The drift is -(grad f - a T div D) dt with a = 0, 1/2, 1 for Ito, Stratonovich, Haenggi-Klimontovich.
    """
    diffusion = noise.diffusion(points)
    smallest = 1e-6 * np.abs(diffusion).max() + 1e-12
    options = {"temperature": TEMPERATURE, "dt": DT, "n_steps": 1, "n_particles": n_particles, "save_at": 1}
    for point, matrix, drift in zip(points, diffusion, _ito_drift(noise, landscape, points), strict=True):
        cloud = simulate(landscape, noise, **options, start=np.tile(point, (n_particles, 1)))  # type: ignore[arg-type]
        kicks = (cloud["position"].values[0] - point - DT * drift) / np.sqrt(2 * TEMPERATURE * DT)
        variances = np.diag(matrix)
        error = np.sqrt((np.outer(variances, variances) + matrix**2) / n_particles)
        z = (kicks.T @ kicks / n_particles - matrix) / (4 * error + smallest)
        require(
            np.all(np.abs(z) <= 1),
            f"kicks at {point} have not the covariance 2 T dt D: {4 * np.abs(z).max():.1f} sigma",
        )
        z = kicks.mean(axis=0) / (4 * np.sqrt(variances / n_particles) + 1e-6)
        require(
            np.all(np.abs(z) <= 1),
            f"kicks at {point} have not the mean of their reading: {4 * np.abs(z).max():.1f} sigma",
        )


def _ito_drift(noise: Any, landscape: Any, points: Array) -> Array:
    """Return -grad f + a T div D at points (particle, coordinate)."""
    multiple, gradient = READINGS[getattr(noise, "interpretation", "ito")], landscape.gradient(points)
    if multiple == 0:
        return np.asarray(-gradient)
    divergence = evaluate(noise.divergence_terms(landscape.dim), points, landscape.dim)
    return np.asarray(multiple * TEMPERATURE * divergence - gradient)
