"""Lanczos quadrature: nodes and weights that integrate functions over the spectrum seen from a start vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from sgdphys.network.memory import WORKING_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.curvature.routes import Product

    Matrix = NDArray[np.float64]

__all__ = ["Quadrature", "lanczos_quadrature"]


class Quadrature(NamedTuple):
    """Nodes (probe, node) rising and weights (probe, node) that sum to 1 for each probe."""

    nodes: Matrix
    weights: Matrix

    def integrals(self, values: Matrix) -> Matrix:
        """Return the integral of a function with these values (..., probe, node) at the nodes, for each probe."""
        terms = np.where(self.weights > 0, self.weights * values, 0.0)
        return np.asarray(terms.sum(axis=-1))

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest node of any weight."""
        seen = self.nodes[self.weights > 0]
        return float(seen.min()), float(seen.max())


def lanczos_quadrature(product: Product, starts: Tensor, n_steps: int) -> Quadrature:
    """Return the Gauss quadrature of the spectral measure of each start vector, by Lanczos with reorthogonalisation.

    The measure of a start q (unit norm) gives the eigenvalue of each eigenvector u the weight (u.q)^2. Integrals of
    polynomials up to degree 2 n_steps - 1 are exact.

    Parameters
    ----------
    product
        Products (d, k) -> (d, k) of the symmetric matrix.
    starts
        Start vectors (d, probe), not zero; they run side by side.
    n_steps
        Products for each start vector.

    Returns
    -------
    Quadrature
        ``min(n_steps, d)`` nodes for each start.

    References
    ----------
    G. Golub, G. Meurant, "Matrices, moments and quadrature" (1994); S. Ubaru, J. Chen, Y. Saad, SIAM J. Matrix Anal.
    Appl. 38 (2017) 1075.
    """
    dim, steps = len(starts), min(n_steps, len(starts))
    size = max(1, WORKING_BYTES // (steps * dim * starts.element_size()))
    parts = [_gauss(*_tridiagonal(product, block, steps)) for block in torch.split(starts, size, dim=1)]
    return Quadrature(*(np.concatenate(both) for both in zip(*parts, strict=True)))


def _tridiagonal(product: Product, starts: Tensor, steps: int) -> tuple[Matrix, Matrix]:
    """Return diagonals (probe, step) and couplings (probe, step - 1); a coupling is 0 where a space is exhausted."""
    basis = starts.new_zeros(starts.shape[1], steps, len(starts))
    basis[:, 0] = (starts / starts.norm(dim=0)).T
    diagonal = torch.zeros(starts.shape[1], steps, dtype=torch.float64, device=starts.device)
    coupling = torch.zeros_like(diagonal)
    negligible = 50 * torch.finfo(starts.dtype).eps
    scale = torch.zeros_like(diagonal[:, 0])
    for step in range(steps):
        image = product(basis[:, step].T).T
        scale = torch.maximum(scale, image.double().norm(dim=1))
        diagonal[:, step] = (image.double() * basis[:, step].double()).sum(dim=1)
        if step + 1 == steps:
            break
        for _ in range(2):
            image = image - torch.einsum("pmd,pm->pd", basis[:, : step + 1], _along(basis[:, : step + 1], image))
        norm = image.double().norm(dim=1)
        norm = torch.where(norm > negligible * scale, norm, 0.0)
        coupling[:, step] = norm
        basis[:, step + 1] = torch.where(norm > 0, 1 / norm, 0.0).to(image)[:, None] * image
    return diagonal.cpu().numpy(), coupling[:, :-1].cpu().numpy()


def _along(basis: Tensor, image: Tensor) -> Tensor:
    return torch.einsum("pmd,pd->pm", basis, image)


def _gauss(diagonal: Matrix, coupling: Matrix) -> tuple[Any, Any]:
    steps = diagonal.shape[1]
    matrices = np.zeros((len(diagonal), steps, steps))
    index = np.arange(steps)
    matrices[:, index, index] = diagonal
    matrices[:, index[1:], index[:-1]] = coupling  # eigh reads the lower triangle
    nodes, vectors = np.linalg.eigh(matrices)
    weights = vectors[:, 0] ** 2
    return nodes, np.where(weights > 1e-30, weights, 0.0)
