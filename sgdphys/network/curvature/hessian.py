"""Curvature of the regularised loss by products: Hessian, Gauss-Newton and Fisher matrices at one point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
import xarray as xr

from sgdphys import schema
from sgdphys.network.curvature.estimates import enough_products
from sgdphys.network.curvature.likelihoods import refuse_without_likelihood
from sgdphys.network.curvature.probes import mean_of_probes
from sgdphys.network.curvature.products import GaussNewtonProducts, HessianProducts, SecondMomentProducts
from sgdphys.network.curvature.symmetric_operator import SymmetricOperator
from sgdphys.network.curvature.traces import diagonal_probes, exact_diagonal
from sgdphys.network.functional import FlatFunction, name_patterns, selected_parameters
from sgdphys.network.tensors import to_numpy
from sgdphys.network.threads import few_threads

if TYPE_CHECKING:
    from torch import Tensor

    from sgdphys.network.curvature.routes import Route
    from sgdphys.network.objective import Objective

__all__ = ["Curvature", "Kind"]

Kind = Literal["hessian", "gauss-newton", "fisher", "empirical-fisher"]
Result = TypeVar("Result")

_PRODUCTS: dict[str, Any] = {
    "hessian": HessianProducts,
    "gauss-newton": GaussNewtonProducts,
    "fisher": GaussNewtonProducts,
    "empirical-fisher": SecondMomentProducts,
}
_NAMES = {
    "hessian": "Hessian",
    "gauss-newton": "Gauss-Newton matrix",
    "fisher": "Fisher matrix",
    "empirical-fisher": "second moment of the gradients",
}


@dataclass(frozen=True)
class Curvature(SymmetricOperator):
    r"""A matrix of second order of the regularised loss f at one point, known by its products.

    ===================  ===========================================================  ==========
    kind                 matrix                                                       unit
    ===================  ===========================================================  ==========
    "hessian"            second derivatives of f, wd I included                       loss/x^2
    "gauss-newton"       :math:`\frac1N \sum_i J_i^T H_i J_i` + wd I                  loss/x^2
    "fisher"             :math:`\frac1N \sum_i E_{y \sim p(y|x_i)} [s s^T]` + wd I    loss/x^2
    "empirical-fisher"   :math:`\frac1N \sum_i g_i g_i^T`, without weight decay       loss^2/x^2
    ===================  ===========================================================  ==========

    J_i is the derivative of the outputs for sample i by the parameters, H_i the Hessian of its loss by these outputs.
    Hessian and Gauss-Newton matrix agree where the model is linear in its parameters or the losses are stationary in
    the outputs. The first three stand for the same f and hold wd on the diagonal.

    "fisher" is the exact expectation over labels y from the model's own p, with s the derivative of -ln p: nothing is
    drawn. It takes a loss that is -ln p up to a constant, with outputs that are the natural parameters of p: cross
    entropy of scores, binary cross entropy of scores, or squared errors (p normal; ``torch.nn.MSELoss`` over K outputs
    has the variance K/2 in each). There H_i does not depend on the label, and the Fisher matrix *is* the Gauss-Newton
    matrix. A sample with several positions or classes of its own, over which the loss averages, counts as the average.
    Other losses are refused.

    "empirical-fisher" is the uncentred second moment of the gradients at the labels of the data, C + g g' with g the
    unregularised mean gradient and C the gradient noise. It is no curvature: the labels are not the model's own.

    Parameters
    ----------
    objective
        The regularised loss.
    point
        Flat parameters (d,) as a tensor.
    kind
        The matrix.
    route
        "reverse": backward passes only; "forward": forward mode over a backward pass. "auto" takes the first of them
        that the layers allow; ``route_taken`` and the logger ``sgdphys.network.curvature`` say which.
    params
        Pattern, or several, of the names of parameters whose rows and columns to take; default all.

    Raises
    ------
    ValueError
        No such kind, route or parameter; a Gauss-Newton or Fisher matrix of a function; no likelihood.
    """

    objective: Objective
    point: Tensor
    kind: Kind = "hessian"
    route: Route = "auto"
    params: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.kind not in list(_PRODUCTS):
            raise ValueError(f"kind must be one of {', '.join(map(repr, _PRODUCTS))}, got {self.kind!r}")
        if _PRODUCTS[self.kind] is GaussNewtonProducts and isinstance(self.objective.model, FlatFunction):
            raise ValueError(
                f"kind={self.kind!r} needs the outputs apart from the loss, and a network from a function has only the "
                "loss: use kind='hessian' or 'empirical-fisher', or Network(model, loss, data)"
            )
        if self.kind == "fisher":
            refuse_without_likelihood(self.objective.loss)
        _ = self._products, self._rows  # refuse routes and names here

    def __repr__(self) -> str:
        kind = "" if self.kind == "hessian" else f", {self.kind}"
        return f"Curvature(d={self.dim}, N={self.objective.n_samples}{kind})"

    @property
    def name(self) -> str:  # type: ignore[override]
        """What the matrix is called."""
        return _NAMES[self.kind]

    @property
    def units(self) -> str:  # type: ignore[override]
        """Unit of the matrix."""
        return "loss^2/x^2" if self.kind == "empirical-fisher" else "loss/x^2"

    @cached_property
    def like(self) -> Tensor:
        """The point, or its selected parameters."""
        return self.point if self._rows is None else self.point[self._rows]

    @property
    def route_taken(self) -> str | None:
        """The route of the products, "reverse" or "forward"; None before the first."""
        route: str | None = self._products.route
        return route

    def products(self, columns: Tensor) -> Tensor:
        """Return the matrix times a tensor (d, k)."""
        decay = 0.0 if self.kind == "empirical-fisher" else self.objective.weight_decay
        if self._rows is None:
            return decay * columns + self._products(columns)  # type: ignore[no-any-return]
        whole = torch.zeros(len(self.point), columns.shape[1], dtype=columns.dtype, device=columns.device)
        whole[self._rows] = columns
        return decay * columns + self._products(whole)[self._rows]  # type: ignore[no-any-return]

    def trace(
        self,
        method: Literal["exact", "hutchinson", "hutch++"] = "exact",
        *,
        by: str | None = None,
        n_products: int = 90,
        seed: int = 0,
    ) -> Any:
        """Return the trace, or that of each layer's block, which add up to it.

        Parameters
        ----------
        method, n_products, seed
            "exact" takes d products; "hutchinson" and "hutch++" take ``n_products`` and have no bias. The second has
            the far smaller error where few eigenvalues hold most of the matrix, and knows of no layers.
        by
            "layer", or None for all of it.

        Returns
        -------
        xr.DataArray or xr.Dataset
            Zero-dimensional, with attributes ``standard_error`` (0 when exact) and ``products``; or ``layer_trace``
            (layer) with standard errors, by the names of the modules that own the parameters.

        Raises
        ------
        ValueError
            There is no such method or division, or there are too few products.
        """
        if by is None:
            return super().trace(method, n_products=n_products, seed=seed)
        if by != "layer":
            raise ValueError(f"by must be 'layer' or None, got {by!r}")
        if method == "hutch++":
            raise ValueError("method='hutch++' knows of no layers; take method='hutchinson' or 'exact' with by='layer'")
        return self._layer_traces(method, n_products, seed)

    def _layer_traces(self, method: str, n_products: int, seed: int) -> xr.Dataset:
        names, numbers = self._layers

        def by_layer(values: Tensor) -> Tensor:
            zero = torch.zeros(len(names), *values.shape[1:], dtype=values.dtype, device=values.device)
            return zero.index_add(0, numbers, values)

        if method == "exact":
            value = by_layer(self._inside(lambda: exact_diagonal(self.products, self.like)))
            error = torch.zeros_like(value)
        else:
            n_products = enough_products(method, n_products)
            probes = diagonal_probes(self.products, self.like, n_products, seed)
            value, error = mean_of_probes(torch.cat(self._inside(lambda: [by_layer(z) for z in probes]), dim=1))
        pairs = {"layer_trace": value, "layer_trace_standard_error": error}
        attributes = {key: schema.describe(key) | {"units": self.units} for key in pairs}
        variables = {key: ("layer", to_numpy(x), attributes[key]) for key, x in pairs.items()}
        return xr.Dataset(variables, {"layer": list(names)})

    @cached_property
    def _products(self) -> Any:
        return _PRODUCTS[self.kind](self.objective, self.point, self.route)

    @cached_property
    def _rows(self) -> Tensor | None:
        patterns = name_patterns(self.params)
        if patterns is None:
            return None
        model, rows = self.objective.model, torch.arange(len(self.point), device=self.point.device)
        parts = dict(zip(model.names, torch.split(rows, list(model.sizes)), strict=True))
        return torch.cat(list(selected_parameters(parts, patterns).values()))

    @property
    def _layers(self) -> tuple[tuple[str, ...], Tensor]:
        """Names of the layers, and the number of its layer for each parameter."""
        model = self.objective.model
        owners = [name.rpartition(".")[0] or name for name in model.names]
        rows = torch.arange(len(self.point)) if self._rows is None else self._rows.cpu()
        each = torch.tensor([i for i, size in enumerate(model.sizes) for _ in range(size)])[rows]
        names = tuple(dict.fromkeys(owners[i] for i in sorted(set(each.tolist()))))
        number = torch.tensor([names.index(owner) if owner in names else -1 for owner in owners])
        return names, number[each].to(self.point.device)

    @few_threads
    def _inside(self, work: Callable[[], Result]) -> Result:
        return work()
