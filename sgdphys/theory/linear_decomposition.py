"""A linear drift with constant noise, taken apart: stationary state, potential, circulation, entropy production."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import xarray as xr

from sgdphys import schema
from sgdphys.checks import finite_number
from sgdphys.sgd import SGD, require_sgd
from sgdphys.theory.linear_maps import square_matrix, symmetric_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Matrix = NDArray[np.float64]

__all__ = ["LinearProcess", "decompose_linear", "linear_process"]

_SILENT = 1e-13  # a direction with less noise than this share of the largest has none
_OUTSIDE = 1e-8  # share of a motion along directions without noise that counts as rounding


@dataclass(frozen=True)
class LinearProcess:
    """The process dx = -A x dt + sqrt(2 D) dW with D = T C, and its stationary covariance S: A S + S A' = 2 D."""

    drift: Matrix
    diffusion: Matrix
    temperature: float
    stationary: Matrix

    @property
    def circulation(self) -> Matrix:
        """Q = A S - D, antisymmetric by construction."""
        turned = self.drift @ self.stationary
        return np.asarray((turned - turned.T) / 2)

    def root(self) -> tuple[Matrix, Matrix]:
        """Return X (d, rank) with S = X X', for the directions that the noise reaches, and Y with Y X = 1."""
        scale = _scale(self.stationary)
        values, vectors = np.linalg.eigh(self.stationary / (scale[:, None] * scale))
        reached = values > 10 * len(values) * np.finfo(float).eps * values[-1]
        R, roots = vectors[:, reached], np.sqrt(values[reached])
        return np.asarray(scale[:, None] * R * roots), np.asarray((R / roots).T / scale)

    def entropy_production(self, step: float = 0.0) -> float:
        """Return the entropy production per time, of steps of this time or in continuous time."""
        X, Y = self.root()
        return _entropy_production(Y @ self.drift @ X, 2 * Y @ self.diffusion @ Y.T, step)


def linear_process(
    hessian: ArrayLike, covariance: ArrayLike, temperature: float | None = None, sgd: SGD | None = None
) -> LinearProcess:
    """Return the process with its stationary covariance; at T = 1 where neither temperature nor SGD is given.

    Returns
    -------
    LinearProcess
        The process.

    Raises
    ------
    ValueError
        What :func:`decompose_linear` refuses in drift, noise and temperature.
    """
    A, C = square_matrix("hessian", hessian), symmetric_matrix("covariance", covariance)
    if A.shape != C.shape:
        raise ValueError(f"hessian and covariance must have the same shape, got {A.shape} and {C.shape}")
    smallest = float(np.linalg.eigvalsh(C)[0])
    if smallest < -1e-6 * np.abs(C).max() or not np.any(C):
        raise ValueError(
            f"covariance must be positive semi-definite and not 0, its smallest eigenvalue is {smallest:.3g}"
        )
    T = _temperature(temperature, sgd)
    eigenvalues = np.linalg.eigvals(A)
    slowest = eigenvalues[np.argmin(eigenvalues.real)]
    if slowest.real <= 1e-14 * np.abs(eigenvalues).max():
        raise ValueError(
            f"the drift -A x does not settle: A has the eigenvalue {_shown(slowest)}; a stationary state needs "
            "positive real parts (weight decay, or the leading directions alone)"
        )
    even, scales = _balanced(A)
    S = scales * scipy.linalg.solve_continuous_lyapunov(even, 2 * T * C / scales)
    return LinearProcess(A, T * C, T, np.asarray((S + S.T) / 2))


def decompose_linear(
    hessian: ArrayLike,
    covariance: ArrayLike,
    *,
    temperature: float | None = None,
    sgd: SGD | None = None,
    lr: float | None = None,
) -> xr.Dataset:
    r"""Return potential, circulation and entropy production of a linear drift with constant noise, in any dimension.

    The process is :math:`dx = -A x\, dt + \sqrt{2 T C}\, dW`. A is called ``hessian``, for it is the Hessian near a
    minimum, but may be any matrix whose eigenvalues have positive real parts, such as one with a circulating part.
    Its stationary density is the Gaussian of covariance S, and the drift splits as

    .. math:: A S + S A^T = 2 T C, \qquad A S = T C + Q, \qquad U = T S^{-1}, \qquad A x = (C + Q/T)\, U x,

    with the antisymmetric Q, the potential :math:`\Phi = x^T U x / 2` and the current :math:`J/p = -Q S^{-1} x`. There
    is no current, and U is A over the scale of C, only where :math:`A C = C A^T`. The entropy production

    .. math:: \dot s = \mathrm{tr}(Q^T (T C)^{-1} Q S^{-1})

    does not depend on T. The chain :math:`x \leftarrow (1 - \mathrm{lr}\, A)\, x + \sqrt{2\, \mathrm{lr}\, T C}\, \xi`
    has its own covariance and produces per step the relative entropy of its steps with respect to those of the
    reversed chain. Reversal leaves the signs of all coordinates as they are: none is a velocity.

    Where C is singular, S is found all the same. Entropy production is infinite where the current has a component along
    a direction without noise, for such a motion is never seen reversed. Where the noise does not reach some direction
    at all, S is singular, U is NaN, and the rest holds within the directions that it reaches.

    Parameters
    ----------
    hessian
        A (d, d), with weight decay included, in loss/x^2.
    covariance
        C (d, d), symmetric and positive semi-definite, in loss^2/x^2.
    temperature
        T, in x^2/loss. Without it and without ``sgd`` T is 1: S and Q are then those per unit of temperature.
    sgd
        Settings of SGD instead: T is ``sgd.effective_temperature`` and the chain is that of its steps. Weight decay
        belongs into A already. Momentum is refused, for a velocity changes its sign under reversal.
    lr
        Time of a step of the chain, in x^2/loss; None leaves the chain out, unless ``sgd`` is given.

    Returns
    -------
    xr.Dataset
        Over (coordinate, coordinate_2): ``stationary_covariance`` S and ``circulation`` Q in x^2 and loss (both
        proportional to T), ``potential_matrix`` U, ``current_matrix`` :math:`-Q S^{-1}`, and ``area_rate``, the area
        that the process sweeps per time in each plane, counterclockwise from the first axis to the second, which is Q.
        ``entropy_production_rate`` in nat per time; ``noise_rank`` and ``covariance_rank`` of C and S. With ``lr``
        also the chain's ``discrete_covariance``, ``discrete_area_rate`` and ``entropy_production_per_step``. The
        attribute ``temperature`` is T.

    Raises
    ------
    ValueError
        A matrix is not square or not finite, C has a negative eigenvalue or is 0, A has an eigenvalue whose real part
        is not positive, the chain does not settle, or the settings have momentum or no temperature.

    References
    ----------
    Chaudhari, Soatto 2018 (arXiv 1710.11029), theorem 22, for U and Q; Gaspard 2004 (J. Stat. Phys. 117, 599), for the
    entropy production of a chain.
    """
    process = linear_process(hessian, covariance, temperature, sgd)
    step = _step(sgd, lr)
    Q, (X, Y) = process.circulation, process.root()
    inverse = Y.T @ Y
    matrices = {
        "stationary_covariance": process.stationary,
        "circulation": Q,
        "potential_matrix": process.temperature * inverse if X.shape == Q.shape else np.full_like(Q, np.nan),
        "current_matrix": -Q @ inverse,
        "area_rate": Q,
    }
    numbers = {
        "entropy_production_rate": process.entropy_production(),
        "noise_rank": _rank(process.diffusion),
        "covariance_rank": X.shape[1],
    }
    if step is not None:
        chain = _chain(process, step)
        matrices |= {"discrete_covariance": chain.stationary, "discrete_area_rate": chain.circulation}
        numbers["entropy_production_per_step"] = step * chain.entropy_production(step)
    return _dataset(matrices, numbers, process.temperature)


def _entropy_production(B: Matrix, kicks: Matrix, step: float) -> float:
    r"""Return the entropy production per time of a linear drift in coordinates whose stationary covariance is 1.

    The chain of steps :math:`1 - \mathrm{lr}\, B` has kicks of covariance :math:`\mathrm{lr}\,(B + B^T - \mathrm{lr}
    B B^T)`; its reversal steps by :math:`1 - \mathrm{lr}\, B^T`, with kicks G lr, G = :math:`B + B^T - \mathrm{lr}
    B^T B`. Both have the same determinant, and the relative entropy per time is
    :math:`\frac12 \mathrm{tr}\, G^{-1} (2 B^T B - B^2 - {B^T}^2)`.

    Parameters
    ----------
    B
        (rank, rank), in loss/x^2.
    kicks
        Covariance of the kicks over lr, known to be positive semi-definite.
    step
        lr, in x^2/loss; 0 for the process in continuous time.

    Returns
    -------
    float
        In nat per time; infinite where the reversed motion has a component without noise.
    """
    values, vectors = np.linalg.eigh(kicks + step * (B @ B.T - B.T @ B))
    silent = values < _SILENT * values[-1]
    unseen = vectors[:, silent].T @ np.concatenate([B - B.T, kicks], axis=1)
    if np.linalg.norm(unseen) > _OUTSIDE * np.linalg.norm(B):
        return float("inf")
    heard = vectors[:, ~silent]
    excess = heard.T @ (2 * B.T @ B - B @ B - B.T @ B.T) @ heard
    return max(0.0, float(np.sum(np.diag(excess) / values[~silent])) / 2)


def _balanced(drift: Matrix) -> tuple[Matrix, Matrix]:
    """Return A in units of the coordinates in which its rows and columns are alike, and the products of those units."""
    even, (unit, _) = scipy.linalg.matrix_balance(drift, permute=False, separate=True)
    return np.asarray(even), np.asarray(unit[:, None] * unit)


def _scale(covariance: Matrix) -> Matrix:
    """Return the standard deviation of each coordinate, their mean where there is none: units that fit."""
    sizes = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return np.where(sizes > 0, sizes, sizes[sizes > 0].mean())


def _rank(covariance: Matrix) -> int:
    scale = _scale(covariance)
    return int(np.linalg.matrix_rank(covariance / (scale[:, None] * scale), hermitian=True))


def _temperature(temperature: float | None, sgd: SGD | None) -> float:
    if sgd is None:
        return 1.0 if temperature is None else finite_number("temperature", temperature, sign="positive")
    require_sgd(sgd)
    if temperature is not None:
        raise ValueError("give temperature= or sgd=, not both: SGD has its own temperature")
    if sgd.momentum:
        raise ValueError(
            f"momentum={sgd.momentum:g} brings a velocity, which changes its sign under reversal; its overdamped limit "
            f"is temperature={sgd.effective_temperature:.6g} (sgd.effective_temperature) in units of time in which a "
            f"step takes sgd.effective_lr={sgd.effective_lr:.6g}"
        )
    if sgd.effective_temperature == 0:
        raise ValueError(
            "every batch is the whole data set: without replacement the temperature is 0; use a smaller one"
        )
    return sgd.effective_temperature


def _step(sgd: SGD | None, lr: float | None) -> float | None:
    if sgd is not None and lr is not None:
        raise ValueError("give lr= or sgd=, not both: SGD has its own learning rate")
    if sgd is not None:
        return sgd.lr
    return None if lr is None else finite_number("lr", lr, sign="positive")


def _chain(process: LinearProcess, step: float) -> LinearProcess:
    """Return the same drift and noise with the stationary covariance of steps of time ``step``."""
    A = process.drift
    eigenvalues = np.linalg.eigvals(A)
    largest = float(np.min(2 * eigenvalues.real / np.abs(eigenvalues) ** 2))
    if step >= largest:
        fastest = eigenvalues[np.argmax(np.abs(1 - step * eigenvalues))]
        raise ValueError(f"the chain does not settle at lr={step:g}: A has the eigenvalue {_shown(fastest)}; "
                         f"use lr below {largest:.6g}")  # fmt: skip
    if step * eigenvalues.real.min() < 4 * np.finfo(float).eps:
        raise ValueError(
            f"lr={step:g} is too small: a step would not change the slowest mode, 1 - lr A is 1 to rounding"
        )
    even, scales = _balanced(A)
    S = scales * scipy.linalg.solve_discrete_lyapunov(
        np.eye(len(A)) - step * even, 2 * step * process.diffusion / scales
    )
    return replace(process, stationary=np.asarray((S + S.T) / 2))


def _shown(eigenvalue: complex) -> str:
    return f"{eigenvalue.real:.6g}" + (f"{eigenvalue.imag:+.6g}i" if eigenvalue.imag else "")


def _dataset(matrices: dict[str, Matrix], numbers: dict[str, float], temperature: float) -> xr.Dataset:
    over_pairs = (schema.COORDINATE, "coordinate_2")
    return xr.Dataset(
        {name: (over_pairs, matrix, schema.describe(name)) for name, matrix in matrices.items()}
        | {name: ((), number, schema.describe(name)) for name, number in numbers.items()},
        attrs={"temperature": temperature},
    )
