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

__all__ = ["LinearProcess", "decompose_linear", "entropy_production", "linear_process", "whitened"]

_SILENT = 1e-11  # a direction with less noise than this share of the largest has none
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

    def support(self) -> tuple[Matrix, Matrix]:
        """Return the eigenvectors R (d, rank) of S that the noise reaches, and the roots of their eigenvalues."""
        values, vectors = np.linalg.eigh(self.stationary)
        reached = values > 10 * len(values) * np.finfo(float).eps * values[-1]
        return np.asarray(vectors[:, reached]), np.sqrt(values[reached])


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
    S = scipy.linalg.solve_continuous_lyapunov(A, 2 * T * C)
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
    Q, support = process.circulation, process.support()
    inverse = (support[0] / support[1] ** 2) @ support[0].T
    matrices = {
        "stationary_covariance": process.stationary,
        "circulation": Q,
        "potential_matrix": process.temperature * inverse if len(support[1]) == len(Q) else np.full_like(Q, np.nan),
        "current_matrix": -Q @ inverse,
        "area_rate": Q,
    }
    numbers = {
        "entropy_production_rate": entropy_production(whitened(process.drift, support)),
        "noise_rank": int(np.linalg.matrix_rank(process.diffusion, hermitian=True)),
        "covariance_rank": len(support[1]),
    }
    if step is not None:
        chain = _chain(process, step)
        per_time = entropy_production(whitened(chain.drift, chain.support()), step)
        matrices |= {"discrete_covariance": chain.stationary, "discrete_area_rate": chain.circulation}
        numbers["entropy_production_per_step"] = step * per_time
    return _dataset(matrices, numbers, process.temperature)


def whitened(drift: Matrix, support: tuple[Matrix, Matrix]) -> Matrix:
    """Return B = S^-1/2 A S^1/2 within the support of S: its even part is the noise, its odd part the circulation."""
    R, roots = support
    return np.asarray((R / roots).T @ drift @ (R * roots))


def entropy_production(B: Matrix, step: float = 0.0) -> float:
    r"""Return the entropy production per time of a linear drift in coordinates whose stationary covariance is 1.

    The chain of steps :math:`1 - \mathrm{lr}\, B` has kicks of covariance :math:`\mathrm{lr}\,(B + B^T - \mathrm{lr}
    B B^T)`; its reversal steps by :math:`1 - \mathrm{lr}\, B^T`, with kicks G lr, G = :math:`B + B^T - \mathrm{lr}
    B^T B`. Both have the same determinant, and the relative entropy per time is
    :math:`\frac12 \mathrm{tr}\, G^{-1} (2 B^T B - B^2 - {B^T}^2)`.

    Parameters
    ----------
    B
        (rank, rank), in loss/x^2.
    step
        lr, in x^2/loss; 0 for the process in continuous time.

    Returns
    -------
    float
        In nat per time; infinite where the reversed motion has a component without noise.
    """
    values, vectors = np.linalg.eigh(B + B.T - step * B.T @ B)
    silent = values < _SILENT * values[-1]
    odd, kicks = B - B.T, B + B.T - step * B @ B.T
    unseen = vectors[:, silent].T @ np.concatenate([odd, kicks], axis=1)
    if np.linalg.norm(unseen) > _OUTSIDE * np.linalg.norm(B):
        return float("inf")
    heard = vectors[:, ~silent]
    excess = heard.T @ (2 * B.T @ B - B @ B - B.T @ B.T) @ heard
    return max(0.0, float(np.sum(np.diag(excess) / values[~silent])) / 2)


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
    S = scipy.linalg.solve_discrete_lyapunov(np.eye(len(A)) - step * A, 2 * step * process.diffusion)
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
