"""Random vectors that traces, diagonals and densities are estimated with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import xarray as xr

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Estimate", "mean_of_probes", "random_signs"]


class Estimate(NamedTuple):
    """A value with its standard error and the number of products that it took."""

    value: float
    standard_error: float
    products: int

    def as_array(self, units: str, long_name: str) -> xr.DataArray:
        """Return a zero-dimensional array with the standard error and the number of products as attributes."""
        attrs = {"units": units, "long_name": long_name, "standard_error": self.standard_error}
        return xr.DataArray(self.value, attrs={**attrs, "products": self.products})


def random_signs(dim: int, count: int, seed: int, like: Tensor) -> Tensor:
    """Return ``count`` columns of random signs (d, count); the first ones do not depend on how many are drawn.

    They are drawn on the CPU, so that every device gets the same.

    Returns
    -------
    Tensor
        +1 or -1, of the dtype and on the device of ``like``.
    """
    generator = torch.Generator().manual_seed(seed)
    columns = [torch.randint(2, (dim,), generator=generator) for _ in range(count)]
    return (2 * torch.stack(columns, dim=1) - 1).to(like)


def mean_of_probes(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean in float64 over the last axis, one value a probe, and its standard error; NaN for one probe."""
    values = values.double()
    count = values.shape[-1]
    error = values.std(dim=-1) / count**0.5 if count > 1 else torch.full_like(values[..., 0], float("nan"))
    return values.mean(dim=-1), error
