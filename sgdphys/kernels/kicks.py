"""Kicks of Gaussian noise on a block: ``out = base + factor * B xi`` with independent standard normals xi.

``work`` is scratch of as many rows as the noise asks for; ``base`` and ``out`` may be the same block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgdphys.kernels.linear_algebra import accumulate_product

if TYPE_CHECKING:
    from sgdphys.kernels.pointers import kick_at

__all__ = ["apply_kick", "diagonal_kick", "factor_kick", "isotropic_kick"]


def apply_kick(kick, normals, x, factor, work, base, out):
    """Call the kick of a packed program of one term."""
    addresses, factors, _offsets, parameters = kick
    call = kick_at(addresses[0])
    call(normals, x, parameters, factor * factors[0], work, base, out)


def isotropic_kick(normals, x, parameters, factor, work, base, out):
    """B = sqrt(c) 1; parameters: sqrt(c)."""
    scale = factor * parameters[0]
    for row in range(out.shape[0]):
        for lane in range(out.shape[1]):
            out[row, lane] = base[row, lane] + scale * normals[row, lane]


def diagonal_kick(normals, x, parameters, factor, work, base, out):
    """B = diag(sqrt(c)); parameters: sqrt(c) of each coordinate."""
    for row in range(out.shape[0]):
        scale = factor * parameters[row]
        for lane in range(out.shape[1]):
            out[row, lane] = base[row, lane] + scale * normals[row, lane]


def factor_kick(normals, x, parameters, factor, work, base, out):
    """B a dense (coordinate, channel) factor; parameters: its entries row by row."""
    for row in range(out.shape[0]):
        for lane in range(out.shape[1]):
            out[row, lane] = base[row, lane]
    accumulate_product(parameters, normals, factor, out)
