"""Bytes and passes of products, Gram matrix and spectrum, from the sizes of the model alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgdphys.network.noise.jacobians import Route, product_work
from sgdphys.network.noise.plans import NoisePlan, Work

if TYPE_CHECKING:
    from sgdphys.network.noise.gram import GramMaker

__all__ = ["plan_of"]


def plan_of(maker: GramMaker, names: tuple[str, ...], route: Route) -> NoisePlan:
    """Return the plan of products, Gram matrix and spectrum.

    Parameters
    ----------
    maker
        What makes the Gram matrix.
    names
        Parameters taken.
    route
        Route of the products.

    Returns
    -------
    NoisePlan
        Bytes without the model and the data themselves.
    """
    gram = maker.work(names)
    n, size = maker.objective.n_samples, maker.point.element_size()
    dim = maker.n_numbers(names)
    if dim <= n:
        pieces = maker.gradient_rows(names)
        rows = pieces[0].stop * dim * size
        spectrum = Work("covariance", 3 * rows + 3 * dim**2 * 8, 3.0)
    else:
        spectrum = Work(f"Gram matrix, {gram.route}", max(gram.n_bytes, 4 * n**2 * 8), gram.passes)
    return NoisePlan(product_work(maker.objective, route), gram, spectrum, maker.max_bytes)
