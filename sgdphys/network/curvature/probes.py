"""Random vectors that traces, diagonals and densities are estimated with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import xarray as xr

from sgdphys.checks import whole_number
from sgdphys.network.memory import WORKING_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

__all__ = ["Estimate", "columns_at_once", "generator_of", "mean_of_probes", "random_signs", "sign_blocks"]

_MOST = 64  # vectors in a product


class Estimate(NamedTuple):
    """A value with its standard error and the number of products that it took."""

    value: float
    standard_error: float
    products: int

    def as_array(self, units: str, long_name: str) -> xr.DataArray:
        """Return a zero-dimensional array with the standard error and the number of products as attributes."""
        attrs = {"units": units, "long_name": long_name, "standard_error": self.standard_error}
        return xr.DataArray(self.value, attrs={**attrs, "products": self.products})


def columns_at_once(dim: int) -> int:
    """Return how many vectors (d,) go into one product."""
    return max(1, min(_MOST, WORKING_BYTES // (8 * dim)))


def generator_of(seed: int) -> torch.Generator:
    """Return torch's generator with a seed from 0 to 2^63 - 1; ValueError for another."""
    if whole_number("seed", seed, least=0) >= 2**63:
        raise ValueError(f"seed must be below 2^63, got {seed}")
    return torch.Generator().manual_seed(int(seed))


def sign_blocks(count: int, seed: int, like: Tensor) -> Iterator[Tensor]:
    """Yield ``count`` columns of random signs in blocks (d, block); the first do not depend on how many are drawn.

    They are drawn on the CPU, so that every device gets the same.

    Yields
    ------
    Tensor
        +1 or -1, of the dtype and on the device of ``like`` (d,).
    """
    generator, dim = generator_of(seed), len(like)
    for start in range(0, count, columns_at_once(dim)):
        size = min(columns_at_once(dim), count - start)
        block = torch.stack([torch.randint(2, (dim,), generator=generator, dtype=torch.int8) for _ in range(size)])
        yield (2 * block.T.to(like) - 1).contiguous()


def random_signs(count: int, seed: int, like: Tensor) -> Tensor:
    """Return ``count`` columns of random signs (d, count) at once; see ``sign_blocks``."""
    return torch.cat(list(sign_blocks(count, seed, like)), dim=1)


def mean_of_probes(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean in float64 over the last axis, one value a probe, and its standard error; NaN for one probe."""
    values = values.double()
    count = values.shape[-1]
    error = values.std(dim=-1) / count**0.5 if count > 1 else torch.full_like(values[..., 0], float("nan"))
    return values.mean(dim=-1), error
