"""Directions to watch a network along: sharp ones, noisy ones and random ones for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.checks import whole_number
from sgdphys.kernels.philox import STREAMS, key_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sgdphys.network.problem import Network

__all__ = ["named_basis"]


def named_basis(network: Network, *, hessian: int = 4, noise: int = 4, random: int = 4, seed: int = 0) -> xr.Dataset:
    """Return orthonormal directions: leading eigenvectors of the Hessian, of the noise, and random ones.

    In this order, each is made orthogonal to those before it; so the Hessian's are its eigenvectors themselves, and the
    noise's and the random ones what is left of them.

    Parameters
    ----------
    network
        A network, taken at its point, which becomes the origin.
    hessian, noise, random
        Numbers of directions; 0 for none of a kind.
    seed
        Names the random directions.

    Returns
    -------
    xr.Dataset
        ``basis`` (parameter, coordinate), ``origin`` (parameter), labels ``hessian_1``, ... and ``direction_kind``
        (coordinate).

    Raises
    ------
    ValueError
        A number is negative, all are 0, or the directions are more than the parameters.
    """
    wanted = {"hessian": hessian, "noise": noise, "random": random}
    counts = {name: whole_number(name, count, least=0) for name, count in wanted.items()}
    total = sum(counts.values())
    if not 1 <= total <= network.dim:
        raise ValueError(f"the numbers of directions must add up to 1 to {network.dim}, the parameters, got {total}")
    columns = [_directions(network, kind, count, seed) for kind, count in counts.items() if count]
    basis = _orthonormal(np.concatenate(columns, axis=1))
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    names = [f"{kind}_{number}" for kind, count in counts.items() for number in range(1, count + 1)]
    return xr.Dataset(
        {
            "basis": ((schema.PARAMETER, schema.COORDINATE), basis, schema.describe("basis")),
            "origin": (schema.PARAMETER, network.parameters, schema.describe("origin")),
        },
        coords={schema.COORDINATE: names, "direction_kind": (schema.COORDINATE, kinds)},
    )


def _directions(network: Network, kind: str, count: int, seed: int) -> NDArray[np.float64]:
    if kind == "hessian":
        return np.asarray(network.curvature().top(count)["eigenvector"].values, np.float64)
    if kind == "noise":
        return np.asarray(network.noise().low_rank(count), np.float64)
    key = np.array([key_of(seed), STREAMS["count_sketch"]], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).normal(size=(network.dim, count))


def _orthonormal(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(columns, axis=0)
    q, r = np.linalg.qr(columns / np.where(lengths > 0, lengths, 1.0))
    return np.asarray(q * np.where(np.diag(r) < 0, -1.0, 1.0))
