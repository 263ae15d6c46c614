"""What random vectors tell of a symmetric matrix that is known by its products: density, traces, diagonal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import torch
import xarray as xr

from sgdphys import schema
from sgdphys.checks import finite_number, whole_number
from sgdphys.network.curvature.probes import Estimate, mean_of_probes, random_signs
from sgdphys.network.curvature.quadrature import Quadrature, lanczos_quadrature
from sgdphys.network.curvature.spectra import density_of
from sgdphys.network.curvature.traces import diagonal_probes, exact_diagonal, exact_trace, hutch_plus_plus, hutchinson
from sgdphys.network.tensors import to_numpy
from sgdphys.simulation.memory import refuse_above_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["Estimates", "Result", "enough_products"]

_FEWEST = {"hutchinson": 2, "hutch++": 6}  # products from which on there is a standard error

Result = TypeVar("Result")


class Estimates(ABC):
    """A symmetric matrix A (d, d) known by its products: its density of eigenvalues, traces and diagonal."""

    name = "matrix"
    units = "loss/x^2"

    @property
    @abstractmethod
    def like(self) -> Tensor:
        """A tensor (d,) of the dtype and on the device of the vectors."""

    @abstractmethod
    def products(self, columns: Tensor) -> Tensor:
        """Return A V for a tensor V (d, k)."""

    @property
    def dim(self) -> int:
        """Number of rows d."""
        return len(self.like)

    def density(
        self,
        n_probes: int = 10,
        n_steps: int = 80,
        *,
        seed: int = 0,
        width: float | None = None,
        n_points: int = 1001,
    ) -> xr.Dataset:
        """Return the density of eigenvalues by stochastic Lanczos quadrature, ``n_probes * n_steps`` products.

        Parameters
        ----------
        n_probes
            Random start vectors; their spread gives the standard errors, NaN for one.
        n_steps
            Products for each start vector.
        seed
            Seed of the random signs.
        width
            Standard deviation of the Gaussian that stands for each node, in the unit of the eigenvalues; default a
            hundredth of their range. A density is told no sharper than that.
        n_points
            Points of the even grid.

        Returns
        -------
        xr.Dataset
            ``spectral_density`` (spectrum_value), which integrates to 1; ``spectral_moment`` (power) = tr A^power / d;
            both with standard errors. ``node``, ``node_weight`` (probe, node_number): the quadrature itself.

        Raises
        ------
        ValueError
            A number is not a positive integer, or ``width`` not positive.

        References
        ----------
        L. Lin, Y. Saad, C. Yang, SIAM Review 58 (2016) 34; B. Ghorbani, S. Krishnan, Y. Xiao, ICML (2019).
        """
        n_points = whole_number("n_points", n_points)
        width = None if width is None else finite_number("width", width, sign="positive")
        quadrature = self._quadrature(n_probes, n_steps, seed)
        result = density_of(quadrature, width, n_points, self.units)
        return result.assign_attrs(products=quadrature.nodes.size, dim=self.dim)

    def trace_of_function(
        self,
        function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        n_probes: int = 10,
        n_steps: int = 80,
        *,
        seed: int = 0,
    ) -> xr.DataArray:
        """Return tr f(A) by stochastic Lanczos quadrature, as ``np.log`` for log det A or ``np.abs`` for tr |A|.

        Parameters
        ----------
        function
            f on arrays of eigenvalues; it has to be finite on the spectrum.
        n_probes, n_steps, seed
            As in ``density``; the standard error is that between the start vectors and does not hold what too few
            steps miss of a function that is far from a polynomial.

        Returns
        -------
        xr.DataArray
            Zero-dimensional; attribute ``standard_error``.

        Raises
        ------
        ValueError
            A number is not a positive integer, or the function returns no array of the shape that it is given.
        """
        quadrature = self._quadrature(n_probes, n_steps, seed)
        with np.errstate(all="ignore"):  # at nodes of no weight
            images = np.asarray(function(quadrature.nodes), dtype=float)
        if images.shape != quadrature.nodes.shape:
            raise ValueError(
                f"function must return a value for each eigenvalue, shape {quadrature.nodes.shape}, got {images.shape}"
            )
        with np.errstate(all="ignore"):
            values = quadrature.integrals(images)
        mean, error = mean_of_probes(self.dim * torch.as_tensor(values))
        return Estimate(float(mean), float(error), quadrature.nodes.size).as_array(
            "", "trace of a function of a matrix"
        )

    def trace(
        self,
        method: Literal["exact", "hutchinson", "hutch++"] = "exact",
        *,
        n_products: int = 90,
        seed: int = 0,
    ) -> xr.DataArray:
        """Return the trace.

        Parameters
        ----------
        method
            "exact" takes d products. "hutchinson" and "hutch++" take ``n_products`` and have no bias; the second has
            the far smaller error where few eigenvalues hold most of the matrix.
        n_products
            Products of a random estimate, at least 2 and 6.
        seed
            Seed of the random signs.

        Returns
        -------
        xr.DataArray
            Zero-dimensional; attributes ``standard_error`` (0 when exact) and ``products``.

        Raises
        ------
        ValueError
            There is no such method, or there are too few products.
        """
        if method == "exact":
            estimate = self._inside(lambda: exact_trace(self.products, self.like))
        else:
            rules = {"hutchinson": hutchinson, "hutch++": hutch_plus_plus}
            n_products = enough_products(method, n_products)
            if method == "hutch++":
                self._refuse(2 * n_products, "sketch vectors", "take fewer products, or method='hutchinson'")
            estimate = self._inside(lambda: rules[method](self.products, self.like, n_products, seed))
        return estimate.as_array(self.units, f"trace of the {self.name}")

    def diagonal(
        self, method: Literal["exact", "hutchinson"] = "exact", *, n_products: int = 90, seed: int = 0
    ) -> xr.Dataset:
        """Return the diagonal, from d products or from random signs.

        Parameters
        ----------
        method, n_products, seed
            As in ``trace``; there is no "hutch++" of it.

        Returns
        -------
        xr.Dataset
            ``matrix_diagonal`` (parameter) with standard errors.

        Raises
        ------
        ValueError
            There is no such method, or there are too few products.
        """
        if method == "exact":
            value = self._inside(lambda: exact_diagonal(self.products, self.like))
            pair = (value, torch.zeros_like(value))
        else:
            pair = self._inside(lambda: self._estimated_diagonal(method, n_products, seed))
        names = ("matrix_diagonal", "matrix_diagonal_standard_error")
        arrays = zip(names, pair, strict=True)
        return xr.Dataset({key: (schema.PARAMETER, to_numpy(x), schema.describe(key)) for key, x in arrays})

    def _estimated_diagonal(self, method: str, n_products: int, seed: int) -> tuple[Tensor, Tensor]:
        if method != "hutchinson":
            raise ValueError(f"method must be 'exact' or 'hutchinson', got {method!r}")
        n_products = enough_products(method, n_products)
        total = torch.zeros(self.dim, dtype=torch.float64, device=self.like.device)
        square = total.clone()
        for block in diagonal_probes(self.products, self.like, n_products, seed):
            total += block.sum(dim=1)
            square += block.square().sum(dim=1)
        variance = (square - total**2 / n_products).clamp(min=0) / (n_products - 1)
        return total / n_products, (variance / n_products).sqrt()

    def _refuse(self, count: int, what: str, way_out: str) -> None:
        refuse_above_memory(8 * count * self.dim, f"{count} {what} of {self.dim} parameters", way_out)

    def _quadrature(self, n_probes: int, n_steps: int, seed: int) -> Quadrature:
        starts = random_signs(whole_number("n_probes", n_probes), seed, self.like)
        steps = min(whole_number("n_steps", n_steps), self.dim)
        self._refuse(2 * steps, "Lanczos vectors", "take fewer steps")
        return self._inside(lambda: lanczos_quadrature(self.products, starts, steps))

    def _inside(self, work: Callable[[], Result]) -> Result:
        """Do a piece of work; a place to set threads around it."""
        return work()


def enough_products(method: str, n_products: int) -> int:
    """Refuse a method that does not exist, and so few products that there is no standard error.

    Returns
    -------
    int
        The number of products.

    Raises
    ------
    ValueError
        The name and the rule.
    """
    if method not in list(_FEWEST):
        raise ValueError(f"method must be 'exact', 'hutchinson' or 'hutch++', got {method!r}")
    count = whole_number("n_products", n_products)
    if count < _FEWEST[method]:
        raise ValueError(f"n_products must be at least {_FEWEST[method]} for method={method!r}, got {n_products}")
    return count
