"""Bytes and passes of products, Gram matrix and spectrum, from trials with few samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgdphys.errors import MemoryLimitError
from sgdphys.network.noise.plans import NoisePlan, Work

if TYPE_CHECKING:
    from sgdphys.network.noise.gram import GramMaker
    from sgdphys.network.noise.jacobians import SampleJacobian

__all__ = ["plan_of"]

_PASSES = {"forward": 1.9, "double": 2.4, "loop": 1.0}
_PASSES_KEPT = 1.3  # of the double route, where its graph is kept between products


def plan_of(maker: GramMaker, jacobian: SampleJacobian, names: tuple[str, ...]) -> NoisePlan:
    """Return the plan of products, Gram matrix and spectrum.

    Parameters
    ----------
    maker
        What makes the Gram matrix.
    jacobian
        What makes the products.
    names
        Parameters taken.

    Returns
    -------
    NoisePlan
        Bytes without the model and the data themselves.
    """
    gram = maker.work(names)
    n, size, dim = maker.objective.n_samples, maker.point.element_size(), maker.n_numbers(names)
    if dim <= n:
        rows = maker.gradient_rows(names)[0].stop
        spectrum = Work("covariance", (2 * rows + 2 * dim) * dim * size, 3.0)
    else:
        values = n**2 * 8 * 2  # the matrix, and the copy that the eigenvalues are taken from
        spectrum = Work(f"Gram matrix, {gram.route}", max(gram.n_bytes, values), gram.passes)
    return NoisePlan(_product(jacobian), gram, spectrum, maker.max_bytes)


def _product(jacobian: SampleJacobian) -> Work:
    route = jacobian.route
    try:
        pieces = jacobian.pieces
    except MemoryLimitError:  # the plan tells the least that it takes
        pieces = [slice(0, 1)]
    passes = _PASSES_KEPT if route == "double" and len(pieces) == 1 else _PASSES[route]
    return Work(route, jacobian.growth(route).peak_of(pieces[0].stop), passes)
