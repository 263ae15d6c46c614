"""The derivative of the vector of sample losses, known by its products with vectors."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from weakref import WeakKeyDictionary

import torch

from sgdphys.errors import MemoryLimitError
from sgdphys.network.batches import take
from sgdphys.network.memory import WORKING_BYTES
from sgdphys.network.noise.data_pieces import cut
from sgdphys.network.noise.forward_products import backward, forward_columns, forward_product, is_adjoint, pads
from sgdphys.network.noise.peak_memory import growth_of
from sgdphys.network.noise.per_sample import loop_gradients
from sgdphys.simulation.memory import readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from sgdphys.network.noise.forward_products import Back
    from sgdphys.network.noise.peak_memory import Growth
    from sgdphys.network.objective import Objective

    _Graph: TypeAlias = tuple[slice, Tensor, Tensor, Tensor, Tensor]

__all__ = ["Route", "SampleJacobian", "fits_one_piece"]

Route: TypeAlias = Literal["forward", "double", "loop"]

logger = logging.getLogger("sgdphys")

_TRIAL_SAMPLES = 2
_PADDING = "would take the padding of an embedding for a parameter, which torch's backward mode does not"
_SURELY = 12  # a product over what the loss keeps for its backward pass, with much to spare
_GRAPH_FACTOR = 4  # the graph of a gradient over that of the loss


def fits_one_piece(objective: Objective) -> bool:
    """Return whether the graph of the gradient of all samples fits the working memory."""
    return len(list(objective.rows(factor=_GRAPH_FACTOR))) == 1


_TRIED: WeakKeyDictionary[Any, dict[Any, bool]] = WeakKeyDictionary()  # of each model: which routes work


@dataclass(frozen=True)
class SampleJacobian:
    """The derivative J (sample, parameter) of the vector of sample losses at one point, known by its products.

    Routes: ``"forward"`` takes J v along with the loss in one forward pass and J' of it in one backward pass of the
    same graph, 1.7 to 1.9 gradients for both; ``"double"`` differentiates J' u, which is linear in u, by u, and keeps
    its graph between products where that fits into memory, 0.9 to 1.6 gradients for both (2.1 to 2.7 where not);
    ``"loop"`` runs sample by sample. Without ``forced`` the first that works on a few samples is taken, "double" before
    "forward" where its graph can be kept; which one is logged as ``sgdphys``.

    Parameters
    ----------
    objective
        The loss.
    point
        Flat parameters (d,).
    forced
        The route to take; None to choose.
    max_bytes
        What products may take at once, beside the vectors given; None for what is usual.
    at_once
        Samples of a piece; None for as many as fit.
    """

    objective: Objective
    point: Tensor
    forced: Route | None = None
    max_bytes: int | None = None
    at_once: int | None = None

    @cached_property
    def route(self) -> Route:
        """The route taken."""
        if self.forced is not None:
            if self.forced == "forward" and pads(self.objective):
                raise ValueError(f"route='forward' {_PADDING}; use route='double'")
            return self.forced
        orders: dict[bool, tuple[Route, ...]] = {True: ("double", "forward"), False: ("forward", "double")}
        keeps = fits_one_piece(self.objective) and self._fitting("double") >= self.objective.n_samples
        chosen: Route = next((way for way in orders[keeps] if self._works(way)), "loop")
        logger.info("products with the Jacobian of %d samples: route %s", self.objective.n_samples, chosen)
        return chosen

    def times(self, v: Tensor) -> Tensor:
        """Return J v, (sample,)."""
        with self.objective.context():
            return torch.cat([part for part, _ in self._parts(v)])

    def times_columns(self, columns: Tensor) -> Tensor:
        """Return J V, (sample, column), of columns V (parameter, column); forward mode takes several at once."""
        if self.route == "forward" and columns.shape[1] > 1 and self._takes_several:
            with self.objective.context():
                return torch.cat([forward_columns(self.objective, self.point, rows, columns) for rows in self._pieces])
        return torch.stack([self.times(column) for column in columns.T], dim=1)

    def transposed_times(self, w: Tensor) -> Tensor:
        """Return J' w, (parameter,)."""
        result = torch.zeros_like(self.point)
        with self.objective.context():
            for rows, leaf, losses in self._losses():
                result += torch.autograd.grad(losses, leaf, w[rows], retain_graph=True)[0]
        return result

    @cached_property
    def mean(self) -> Tensor:
        """Mean of the rows of J, (parameter,)."""
        total = torch.zeros_like(self.point)
        with self.objective.context():
            if self.__dict__.get("route") == "double" and len(self._pieces) == 1:
                total += self._single_graph[-1].detach()
            else:
                for rows in self._plain_pieces:
                    leaf = self.point.detach().clone().requires_grad_()
                    total += torch.autograd.grad(self.objective.sample_losses(leaf, rows).sum(), leaf)[0]
        return total / self.objective.n_samples

    def scattered(self, v: Tensor) -> Tensor:
        """Return J' (J v - m'v) for the mean m of the rows of J, (parameter,), with every piece of the data met once.

        Parameters
        ----------
        v
            (parameter,).

        Returns
        -------
        Tensor
            (parameter,).

        Raises
        ------
        MemoryLimitError
            Even a single sample takes more than ``max_bytes``.
        """
        route, pieces = self.route, self._pieces  # chosen or refused before anything is computed
        logger.debug("product by route %s in %d pieces", route, len(pieces))
        along = self.mean @ v
        result = torch.zeros_like(self.point)
        with self.objective.context():
            for part, back in self._parts(v):
                result += back(part - along)
                del part, back  # and its graph, before the next one
        return result

    def _parts(self, v: Tensor) -> Iterator[tuple[Tensor, Back]]:
        """Yield J v of each piece of the data with the function w -> J' w of that piece."""
        if self.route == "double":
            yield from map(partial(_along, v=v), self._graphs())  # holds no graph while the next one is made
        elif self.route == "forward":
            for rows in self._pieces:
                yield forward_product(self.objective, self.point, rows, v)
        else:
            for i in range(self.objective.n_samples):
                (gradient,) = loop_gradients(self.objective, self.point, slice(i, i + 1))
                yield (gradient @ v)[None], gradient.mul

    @cached_property
    def _takes_several(self) -> bool:
        """Whether forward mode takes several vectors at once, and gives what it gives for one; tried on few samples."""
        if not self._surely_fits:
            return False
        rows = slice(0, min(_TRIAL_SAMPLES, self.objective.n_samples))
        try:
            with self.objective.context():
                found = forward_columns(self.objective, self.point, rows, torch.stack([self.point, self.mean], dim=1))
                alone, _ = forward_product(self.objective, self.point, rows, self.mean)
        except RuntimeError as error:
            logger.info("products one by one: %s", str(error).splitlines()[0])
            return False
        return bool((found[:, 1] - alone).norm() <= torch.finfo(alone.dtype).eps ** 0.5 * alone.norm())

    def _works(self, route: Route) -> bool:
        model = self.objective.model
        signature = (route, self.objective.loss, model.module is not None and model.module.training)
        known = _TRIED.setdefault(model, {})
        if signature not in known:
            known[signature] = self._tried(route)
        return known[signature]

    def _tried(self, route: Route) -> bool:
        if route == "forward" and pads(self.objective):
            logger.info("route forward %s", _PADDING)
            return False
        rows = slice(0, min(_TRIAL_SAMPLES, self.objective.n_samples))
        try:
            with self.objective.context():
                if route == "forward":
                    return is_adjoint(*forward_product(self.objective, self.point, rows, self.point), self.point)
                _, _, _, u, g = self._graph(rows)
                torch.autograd.grad(g, u, self.point)
        except RuntimeError as error:  # NotImplementedError is one of them
            logger.info("route %s does not work here: %s", route, str(error).splitlines()[0])
            return False
        return True

    @property
    def pieces(self) -> list[slice]:
        """Pieces of the data set that run at once."""
        return self._pieces if self.route != "loop" else [slice(i, i + 1) for i in range(self.objective.n_samples)]

    @cached_property
    def _pieces(self) -> list[slice]:
        n = self.objective.n_samples
        if self.at_once is not None:
            return cut(n, self.at_once, 1)
        fitting = self._fitting(self.route)
        if not fitting:
            raise MemoryLimitError(
                f"products by route {self.route!r} take {readable(self.growth(self.route).peak_of(1))} with one sample "
                f"at a time, more than the {readable(self.max_bytes or 0)} allowed; raise max_memory="
            )
        return cut(n, min(next(self.objective.rows(factor=_GRAPH_FACTOR)).stop, fitting), 1)

    @property
    def _plain_pieces(self) -> list[slice]:
        """Pieces for a gradient, which takes less than a product."""
        if "_pieces" in self.__dict__:
            return self._pieces
        free = WORKING_BYTES if self.max_bytes is None else self.max_bytes - 4 * self.point.nbytes
        return cut(self.objective.n_samples, min(WORKING_BYTES, free), 3 * self.objective.bytes_per_sample)

    def growth(self, route: Route) -> Growth:
        """Return how the memory of a product by this route grows with the samples of a piece, the mean included."""
        if route not in self._growths:
            zero, whole = torch.zeros_like(self.point), self.objective

            def product(n: int) -> Any:
                inputs, targets = (take(tree, slice(0, n)) for tree in (whole.inputs, whole.targets))
                some = SampleJacobian(replace(whole, inputs=inputs, targets=targets), self.point, route, at_once=n)
                return some, some.scattered(zero)

            self._growths[route] = growth_of(product, whole.n_samples, self.point.device)
        return self._growths[route]

    @cached_property
    def _growths(self) -> dict[Route, Growth]:
        return {}

    @property
    def _surely_fits(self) -> bool:
        whole = self.objective
        most = _SURELY * min(whole.n_samples * whole.bytes_per_sample, WORKING_BYTES) + 10 * self.point.nbytes
        return self.max_bytes is None or most <= self.max_bytes

    def _fitting(self, route: Route) -> int:
        """Return how many samples a piece may have, 0 where even one takes too much."""
        n, limit = self.objective.n_samples, self.max_bytes
        if self.at_once is not None or limit is None or self._surely_fits or not self._works(route):
            return n
        growth = self.growth(route)
        return next(
            (size for size in (-(-n // count) for count in range(1, n + 1)) if growth.peak_of(size) <= limit), 0
        )

    @cached_property
    def _single_graph(self) -> _Graph:
        return self._graph(self._pieces[0])

    def _graphs(self) -> Iterator[_Graph]:
        if len(self._pieces) == 1:
            yield self._single_graph
        else:
            yield from map(self._graph, self._pieces)

    def _losses(self) -> Iterator[tuple[slice, Tensor, Tensor]]:
        if self.route == "double":
            yield from ((rows, leaf, losses) for rows, leaf, losses, _, _ in self._graphs())
            return
        for rows in self._pieces:
            leaf = self.point.detach().clone().requires_grad_()
            yield rows, leaf, self.objective.sample_losses(leaf, rows)

    def _graph(self, rows: slice) -> _Graph:
        leaf = self.point.detach().clone().requires_grad_()
        losses = self.objective.sample_losses(leaf, rows)
        u = torch.ones_like(losses, requires_grad=True)
        (g,) = torch.autograd.grad(losses, leaf, u, create_graph=True)
        return rows, leaf, losses, u, g


def _along(graph: _Graph, v: Tensor) -> tuple[Tensor, Back]:
    _, leaf, losses, u, g = graph
    return torch.autograd.grad(g, u, v, retain_graph=True)[0], backward(losses, leaf)
