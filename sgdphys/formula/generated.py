"""Block kernels of formulas and regions, one for each tree: formulas that differ only in their parameters share it."""

from __future__ import annotations

import functools

from sgdphys.formula.tree import Node
from sgdphys.kernels import FieldKernel

__all__ = ["field_kernel"]


@functools.lru_cache(maxsize=4096)
def field_kernel(name: str, tree: Node, dim: int) -> FieldKernel:
    """Return the kernel of a formula's potential, gradient or hessian, or of a region.

    Parameters
    ----------
    name
        ``"potential"`` (1 row), ``"gradient"`` (dim rows), ``"hessian"`` (dim^2 rows) or ``"region"`` (1 row).
    tree
        The syntax tree.
    dim
        Number of coordinates.

    Returns
    -------
    FieldKernel
        The kernel; its source is written, with SymPy, only when the cache on disk has none.
    """

    def write() -> str:
        from sgdphys.formula import writer

        return writer.write_region(name, tree) if name == "region" else writer.write_field(name, tree, dim)

    return FieldKernel.from_source(name, f"{name}|{dim}|{tree!r}", write)


@functools.lru_cache(maxsize=1024)
def matrix_kernel(name: str, trees: tuple[Node, ...], kind: str, dim: int) -> FieldKernel:
    """Return the kernel of a matrix of formulas.

    Parameters
    ----------
    name
        ``"diffusion"`` (a row for each tree) or ``"divergence"`` (dim rows; row i: the sum of d_j D_ij over j).
    trees
        The entries: one, the diagonal, or all row by row.
    kind
        ``"scalar"``, ``"diagonal"`` or ``"full"``.
    dim
        Number of coordinates.

    Returns
    -------
    FieldKernel
        The kernel; its source is written only when the cache on disk has none.
    """

    def write() -> str:
        from sgdphys.formula import writer

        return writer.write_matrix(name, trees, kind, dim)

    return FieldKernel.from_source(name, f"{name}|{kind}|{dim}|{trees!r}", write)
