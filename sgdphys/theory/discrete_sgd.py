"""Stationary covariance of SGD on a quadratic loss: the continuous limit and the exact discrete map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.sgd import require_sgd
from sgdphys.theory.epoch_shuffling import stationary_epoch
from sgdphys.theory.linear_maps import kick_factors, refuse_unstable, spectral_radius, symmetric_pair
from sgdphys.theory.minibatch_noise import distance_operator, noise_with_distance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sgdphys.sgd import SGD

    Matrix = NDArray[np.float64]

__all__ = ["refuse_unstable", "stationary_covariance"]

Mode = Literal["lyapunov", "discrete", "minibatch", "shuffle"]
_MODES = ("lyapunov", "discrete", "minibatch", "shuffle")


def stationary_covariance(
    hessian: ArrayLike,
    covariance: ArrayLike,
    sgd: SGD,
    mode: Mode = "discrete",
    *,
    inputs: ArrayLike | str | None = None,
) -> xr.Dataset:
    r"""Return the stationary covariance S of SGD on a quadratic loss.

    ``"discrete"`` is exact for the map with constant gradient noise C, momentum included. Without momentum

    .. math:: S = (I - \mathrm{lr} H) S (I - \mathrm{lr} H) + \frac{\mathrm{lr}^2}{B} s\, C,

    with torch's heavy ball, entry by entry in the eigenbasis of H (h its eigenvalues),

    .. math::
        S_{ij} = \frac{\mathrm{lr}\, s\, C_{ij} / B}{(1-\mu)(h_i + h_j)
        - \mathrm{lr} \frac{1+\mu^2}{1-\mu^2} h_i h_j + \mathrm{lr} \frac{\mu}{1-\mu^2} (h_i^2 + h_j^2)},

    which is found, as for Nesterov's momentum and dampening, from the linear equation of position and velocity.

    ``"lyapunov"`` is its limit lr h -> 0, the stochastic differential equation at ``sgd.effective_temperature``:
    :math:`H S + S H = 2 T_\mathrm{eff} C`. The sampling factor s is 1 with replacement and (N-B)/(N-1) without.

    ``"minibatch"`` is exact for least squares, whose noise depends on the position: C is replaced by its mean over
    the stationary state, :math:`C + \langle x x^T S x x^T \rangle - A S A` with :math:`A = \langle x x^T \rangle`.

    ``"shuffle"`` is exact for constant noise and epochs of a shuffled order, N // B batches of B distinct samples
    (the rest of an order is dropped), whose noise is anti-correlated between steps.

    Parameters
    ----------
    hessian
        H (d, d), symmetric, of the loss with weight decay included, in loss/x^2; ``sgd.weight_decay`` is not added
        again.
    covariance
        Population covariance C (d, d) of the per-sample gradients at the minimum, symmetric, in loss^2/x^2.
    sgd
        Learning rate, batch size, momentum, sampling; mode ``"shuffle"`` needs ``sampling="shuffle"`` and
        ``n_samples``, the others refuse that sampling.
    mode
        ``"discrete"``, ``"lyapunov"``, ``"minibatch"`` or ``"shuffle"``.
    inputs
        In mode ``"minibatch"`` only, the features x_i (sample, d) of least squares (half the squared residual), at
        most 40 coordinates; weight decay is what ``hessian`` has beyond A. Or ``"gaussian"`` for fresh Gaussian
        features, A = hessian - sgd.weight_decay I, where :math:`\langle x x^T S x x^T \rangle - A S A` is
        :math:`A S A + \mathrm{tr}(A S) A`; label noise of variance s2 has ``covariance`` s2 A.

    Returns
    -------
    xr.Dataset
        ``stationary_covariance`` (coordinate, coordinate_2), in x^2. In all modes but ``"lyapunov"`` also
        ``velocity_covariance`` of the velocity v (the batch gradient without momentum) and ``spectral_radius`` of the
        mean motion; ``second_moment_radius`` in mode ``"minibatch"``. In mode ``"shuffle"`` both covariances are those
        at the end of an epoch, ``epoch_mean_covariance`` is averaged over its steps and ``variance_in_epoch``
        (epoch_step, coordinate) is the variance after each of them.

    Raises
    ------
    ValueError
        A matrix is not symmetric or of the wrong shape, there is no stationary state, the mode is unknown, or it does
        not fit the sampling or ``inputs``.

    References
    ----------
    Liu, Ziyin, Ueda 2021 (arXiv 2012.03636) (discrete); Mandt, Hoffman, Blei 2017 (arXiv 1704.04289) (continuous);
    Ziyin, Liu, Mori, Ueda 2022 (arXiv 2102.05375) (minibatch); Kuhn, Rosenow 2023 (arXiv 2306.05300) (shuffling).
    """
    require_sgd(sgd)
    H, C = symmetric_pair(hessian, covariance)
    if mode not in _MODES:
        raise ValueError(f"mode must be one of {', '.join(_MODES)}, got {mode!r}")
    if (inputs is not None) != (mode == "minibatch"):
        raise ValueError("inputs= belongs to mode 'minibatch', and that mode needs it: the features of least squares")
    curvatures, V = np.linalg.eigh(H)
    refuse_unstable(curvatures, sgd, discrete=mode != "lyapunov")
    rotated = V.T @ C @ V
    if mode == "shuffle":
        return _shuffled(curvatures, rotated, sgd, V)
    noise = sgd.sampling_factor / sgd.batch_size
    if mode == "lyapunov":
        factors = sgd.effective_lr / (curvatures[:, None] + curvatures[None, :])
        return xr.Dataset({"stationary_covariance": _entry(factors * noise * rotated, "stationary_covariance", V)})
    position, velocity = (noise * factors for factors in kick_factors(curvatures, sgd))
    numbers = {"spectral_radius": spectral_radius(curvatures, sgd)}
    if inputs is not None:
        K = distance_operator(inputs, H, sgd, V)
        rotated, numbers["second_moment_radius"] = noise_with_distance(rotated, K, position)
    matrices = {"stationary_covariance": position * rotated, "velocity_covariance": velocity * rotated}
    return xr.Dataset({name: _entry(matrix, name, V) for name, matrix in matrices.items()} | _numbers(numbers))


def _shuffled(curvatures: Matrix, C: Matrix, sgd: SGD, V: Matrix) -> xr.Dataset:
    epoch = stationary_epoch(curvatures, C, sgd, V)
    matrices = {
        "stationary_covariance": epoch.at_end[..., 0, 0],
        "velocity_covariance": epoch.at_end[..., 1, 1] / sgd.lr**2,
        "epoch_mean_covariance": epoch.mean[..., 0, 0],
    }
    dims = (schema.EPOCH_STEP, schema.COORDINATE)
    return xr.Dataset(
        {name: _entry(matrix, name, V) for name, matrix in matrices.items()}
        | {"variance_in_epoch": (dims, epoch.variance, schema.describe("variance_in_epoch"))}
        | _numbers({"spectral_radius": spectral_radius(curvatures, sgd)}),
        {schema.EPOCH_STEP: np.arange(1, len(epoch.variance) + 1)},
    )


def _entry(modes: Matrix, name: str, V: Matrix) -> tuple[tuple[str, str], Matrix, dict[str, str]]:
    matrix = V @ modes @ V.T
    return (schema.COORDINATE, "coordinate_2"), (matrix + matrix.T) / 2, schema.describe(name)


def _numbers(numbers: dict[str, float]) -> dict[str, tuple[tuple[()], float, dict[str, str]]]:
    return {name: ((), number, schema.describe(name)) for name, number in numbers.items()}
