"""The per-sample gradients at one point as a whole: which parameters, which samples, and by which products."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import torch

from sgdphys.errors import MemoryLimitError
from sgdphys.network.noise.gram import GramMaker
from sgdphys.network.noise.jacobians import Route, SampleJacobian
from sgdphys.network.noise.plans import memory_limit
from sgdphys.simulation.memory import readable, refuse_above_memory

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.objective import Objective

__all__ = ["SampleGradients"]


@dataclass(frozen=True)
class SampleGradients:
    """Gradients g_i of n samples by some parameters at one point, known by products.

    Parameters
    ----------
    objective
        The regularised loss of the n samples.
    point
        Flat parameters as a tensor.
    params
        Pattern, or several, of the names of the parameters to take; default all.
    route
        "forward", "double" or "loop" for products with the Jacobian, see ``SampleJacobian``; None to choose.
    n_population
        Number N of samples of the data set of which ``objective`` holds n; None where it holds all.
    max_memory
        Bytes, or a text as "2GB", that one measurement may take at once; default a quarter of what is free.

    Raises
    ------
    ValueError
        No such parameter or route, or a ``max_memory`` that is no size.
    """

    objective: Objective
    point: Tensor
    params: str | tuple[str, ...] | None = None
    route: Route | None = None
    n_population: int | None = None
    max_memory: int | str | None = None

    def __post_init__(self) -> None:
        if self.route is not None and self.route not in get_args(Route):
            raise ValueError(
                f"route must be one of {', '.join(map(repr, get_args(Route)))} or None, got {self.route!r}"
            )
        memory_limit(self.max_memory, self.point)
        if not (self.params is None or _are_patterns(self.params)):
            raise ValueError(f"params must be a pattern of names, several, or None for all, got {self.params!r:.60}")
        names = self.objective.model.names
        for pattern in self._patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ValueError(f"params={pattern!r} fits none of the parameters {', '.join(names)}")

    def __repr__(self) -> str:
        of = "" if self.n_population is None else f" of {self.n_population}"
        return f"{type(self).__name__}(d={self.dim}, N={self.n_samples}{of})"

    @cached_property
    def dim(self) -> int:
        """Number of parameters d taken."""
        return sum(piece.stop - piece.start for piece in self._pieces.values())

    @property
    def n_samples(self) -> int:
        """Number n of samples measured."""
        return self.objective.n_samples

    @property
    def correction(self) -> float:
        """What makes the covariance of n of N samples an estimate of that of all N without bias; 1 for all of them."""
        n, whole = self.n_samples, self.n_population
        return 1.0 if whole is None or n < 2 else (whole - 1) / whole * n / (n - 1)

    @property
    def products_route(self) -> Route:
        """The route that products with the Jacobian take."""
        return self._jacobian.route

    def products_along(self, columns: Tensor) -> Tensor:
        """Return (g_i - g)' V, (n, k), for a tensor V (d, k)."""
        wide = columns if not self._patterns else torch.stack([self._wide(column) for column in columns.T], dim=1)
        along = self._jacobian.times_columns(wide)
        return along - along.mean(dim=0)

    def weighted_sum(self, weights: Tensor) -> Tensor:
        """Return the sum of the gradients with these weights (n,), (d,)."""
        return self._narrow(self._jacobian.transposed_times(weights))

    @property
    def mean_gradient(self) -> Tensor:
        """Mean of the gradients, (d,), weight decay included."""
        return self._narrow(self._mean) + self._decay

    @property
    def _decay(self) -> Tensor:
        return self.objective.weight_decay * self._narrow(self.point)

    @property
    def _patterns(self) -> tuple[str, ...]:
        return (self.params,) if isinstance(self.params, str) else tuple(self.params or ())

    @cached_property
    def _pieces(self) -> dict[str, slice]:
        """Where the parameters taken lie in the point, by name."""
        model, end, found = self.objective.model, 0, {}
        for name, size in zip(model.names, model.sizes, strict=True):
            if not self._patterns or any(fnmatchcase(name, pattern) for pattern in self._patterns):
                found[name] = slice(end, end + size)
            end += size
        return found

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._pieces)

    @cached_property
    def _layers(self) -> dict[str, tuple[str, ...]]:
        """Names of the parameters of each layer, the module that owns them."""
        layers: dict[str, tuple[str, ...]] = {}
        for name in self._names:
            owner = name.rpartition(".")[0] or name
            layers[owner] = (*layers.get(owner, ()), name)
        return layers

    def _size(self, names: tuple[str, ...]) -> int:
        return sum(self._pieces[name].stop - self._pieces[name].start for name in names)

    def _wide(self, v: Tensor) -> Tensor:
        """Return a vector of the parameters taken as one of all parameters."""
        if not self._patterns:
            return v
        wide, start = torch.zeros_like(self.point), 0
        for piece in self._pieces.values():
            size = piece.stop - piece.start
            wide[piece] = v[start : start + size]
            start += size
        return wide

    def _narrow(self, wide: Tensor) -> Tensor:
        return wide if not self._patterns else torch.cat([wide[piece] for piece in self._pieces.values()])

    @cached_property
    def _jacobian(self) -> SampleJacobian:
        return SampleJacobian(self.objective, self.point, self.route, memory_limit(self.max_memory, self.point))

    @property
    def _mean(self) -> Tensor:
        return self._jacobian.mean

    @cached_property
    def _maker(self) -> GramMaker:
        limit = memory_limit(self.max_memory, self.point)
        return GramMaker(self.objective, self.point, limit, strict=self.max_memory is not None)

    def _refuse_above_limits(self, n_bytes: int, what: str, way_out: str) -> None:
        """Refuse what takes more than ``max_memory``, or than nine tenths of what is free."""
        if self.max_memory is not None and n_bytes > self._maker.max_bytes:
            raise MemoryLimitError(f"{what}: {readable(n_bytes)} are needed, max_memory={self.max_memory!r}; {way_out}")
        refuse_above_memory(n_bytes, what, way_out)


def _are_patterns(params: Any) -> bool:
    return isinstance(params, Collection) and bool(params) and all(isinstance(pattern, str) for pattern in params)
