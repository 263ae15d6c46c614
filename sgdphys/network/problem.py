"""A torch network with its loss and its data, at one point of parameter space."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from sgdphys.checks import finite_number, whole_number
from sgdphys.network.checks import check_evaluation, check_loss, obstacle_to_samples
from sgdphys.network.curvature.hessian import Curvature, Kind
from sgdphys.network.evaluation import PointEvaluation
from sgdphys.network.functional import FlatFunction, FlatModel, name_patterns
from sgdphys.network.intake import ToBatch, row_numbers, samples_of
from sgdphys.network.losses import per_sample_loss
from sgdphys.network.minimum import minimise
from sgdphys.network.noise.measurement import MeasuredNoise
from sgdphys.network.objective import Objective
from sgdphys.network.tensors import numbers_like, usable_device, usable_dtype
from sgdphys.network.threads import few_threads
from sgdphys.network.twins.kinds import AnyTwin, twin_of_kind

if TYPE_CHECKING:
    import xarray as xr
    from torch import Tensor

    from sgdphys.network.curvature.routes import Route
    from sgdphys.sgd import SGD

__all__ = ["Network"]


class Network(MeasuredNoise, PointEvaluation):
    r"""A network, its loss and its data set: the regularised loss as a landscape, measured at one point.

    .. math:: f(x) = \frac1N \sum_i \ell_i(x) + \frac{\mathrm{wd}}2 |x|^2

    with x the flat vector of trainable parameters in the order of ``named_parameters``. Gradient, Hessian, minimum and
    twin are those of this f, weight decay included. The user's model is copied: its mode, buffers and ``requires_grad``
    stay as they are, and so does torch's random state.

    A model with batch statistics or dropout in training mode has no f: it can be trained (``sgdphys.train``) and its
    noise measured by batches (``noise(unit="batch")``); everything else says so and names the way out.

    Parameters
    ----------
    model
        The torch module; its present weights are the point.
    loss
        Callable (output, target) -> (n,), one value per sample, or a torch loss module. The output is what the model
        returns: of a dictionary take a part, as ``lambda output, target: cross_entropy(output["logits"], target,
        reduction="none")``; a loss that the model itself makes of ``labels`` is not used. A module with
        ``reduction="mean"`` is taken sample by sample and averaged over all other axes as its own mean does.
        ``torch.nn.MSELoss`` is the mean over outputs of the squared residual: for one output twice the half squared
        residual, so curvature is 2 times and noise covariance 4 times as large.
    data
        ``(inputs, targets)`` with one row a sample; a torch Dataset, a DataLoader (read once, in the order of its data
        set), a list of batches or a dictionary of arrays, whose ``"labels"`` are the targets.
    to_batch
        Makes (inputs, targets) of a batch of any other form. A tuple of inputs goes to the model as its arguments, a
        dictionary as its keyword arguments.
    params
        Pattern, or several, of the names of the parameters that x consists of, as ``"layer3.*"``; the others stay
        fixed. Default all that require a gradient.
    mode
        ``"train"`` or ``"eval"`` for the private copy; default the mode in which the model comes.
    weight_decay
        Coefficient wd of (wd/2)|x|^2, not negative.
    device
        torch device; default the CPU.
    dtype
        Floating type of parameters and floating data; default float64.

    Raises
    ------
    ValueError
        Data of unequal length, empty or not finite; a model or loss that fails on them; a loss that is not per sample,
        not finite or without gradient; a pattern that fits no parameter; a weight decay that is negative.
    TypeError
        The model is no module, or the loss cannot be called.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        model: torch.nn.Module,
        loss: Any,
        data: Any,
        *,
        to_batch: ToBatch | None = None,
        params: str | tuple[str, ...] | list[str] | None = None,
        mode: Literal["train", "eval"] | None = None,
        weight_decay: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if mode not in [None, "train", "eval"]:
            raise ValueError(f"mode must be 'train', 'eval' or None, got {mode!r}")
        kind: dict[str, Any] = {"device": usable_device(device), "dtype": usable_dtype(dtype)}
        decay = finite_number("weight_decay", weight_decay, sign="not negative")
        samples = samples_of(data, to_batch, **kind)
        flat = FlatModel(model, **kind, select=name_patterns(params))
        if mode is not None:
            flat.set_mode(training=mode == "train")
        names = {"model": type(model).__name__, "loss": getattr(loss, "__qualname__", type(loss).__name__)}
        self._begin(Objective(flat, per_sample_loss(loss, **kind), *samples, decay), names)
        check_loss(self._objective, loss)

    @classmethod
    @torch.inference_mode(False)
    def from_function(
        cls,
        per_sample: Callable[[dict[str, Tensor], Any], Tensor],
        params: Mapping[str, Any],
        data: Any,
        *,
        weight_decay: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Network:
        """Return the network of a function of parameters and a batch, where there is no module and no separate loss.

        Parameters
        ----------
        per_sample
            (parameters by name, batch) -> losses (n,), in torch operations; derivatives by the data, as of a
            differential equation, by ``torch.func.jvp``, not by ``torch.autograd.grad``.
        params
            Starting parameters by name, arrays or tensors.
        data
            An array, or a tuple or dictionary of arrays, with the samples on the first axis; a batch is some of its
            rows.
        weight_decay, device, dtype
            As for ``Network``.

        Returns
        -------
        Network
            All that ``Network`` does but what needs separate outputs (the Gauss-Newton and Fisher matrices).

        Raises
        ------
        ValueError
            ``params`` is no dictionary, or as for ``Network``.
        TypeError
            ``per_sample`` cannot be called.
        """
        kind: dict[str, Any] = {"device": usable_device(device), "dtype": usable_dtype(dtype)}
        decay = finite_number("weight_decay", weight_decay, sign="not negative")
        if not isinstance(params, Mapping) or not params:
            raise ValueError(f"params must be a dictionary of arrays by name, got {type(params).__name__}")
        if not callable(per_sample):
            raise TypeError(f"per_sample must be a function (parameters, batch) -> (n,), got {per_sample!r:.60}")
        point = torch.empty(0, **kind)
        start = {str(name): numbers_like(f"params[{name!r}]", value, point) for name, value in params.items()}
        inputs, numbers = samples_of((data, row_numbers(data)), None, **kind)
        network = cls.__new__(cls)
        name = getattr(per_sample, "__qualname__", type(per_sample).__name__)
        objective = Objective(FlatFunction(per_sample, start), _output_itself, inputs, numbers, decay)
        network._begin(objective, {"model": name, "loss": name})
        return network

    def _begin(self, objective: Objective, names: dict[str, str]) -> None:
        check_evaluation(objective)
        self._objective = replace(objective, obstacle=obstacle_to_samples(objective))
        self._point = objective.model.initial
        self._names = names

    def __repr__(self) -> str:
        text = f"Network({self._names['model']}, d={self.dim}, N={self.n_samples}"
        if self._objective.obstacle is None and self.dim * self.n_samples <= 10**8:  # else it takes too long for a repr
            text += f", loss {self.loss_value:.5g}, gradient norm {self.residual_gradient_norm:.2g}"
        return f"{text})"

    @cached_property
    def loss_value(self) -> float:
        """The regularised loss f at the point."""
        return float(self.potential())

    @cached_property
    def residual_gradient_norm(self) -> float:
        """Norm of the gradient of f at the point, in loss/x; about zero at a minimum."""
        return float(np.linalg.norm(self.gradient()))

    def at(self, parameters: Any) -> Network:
        """Return the same network at other parameters (d,)."""
        point = self._rows(parameters)
        if len(point) != 1:
            raise ValueError(f"a network is at one point, parameters of shape ({self.dim},), got {len(point)} points")
        other = copy.copy(self)
        for name in ("loss_value", "residual_gradient_norm"):
            other.__dict__.pop(name, None)
        other._point = point[0].clone()
        return other

    @few_threads
    def minimum(self, tolerance: float = 1e-7, max_iterations: int = 20_000) -> Network:
        """Return the network at a nearby minimum of f: L-BFGS steps, then Newton steps with conjugate gradients.

        Nothing is printed meanwhile. Losses with kinks (ReLU, maxima) and float32 stop short of small tolerances.

        Warns with RuntimeWarning when ``tolerance`` was not reached; ``residual_gradient_norm`` of the result tells how
        near it is.

        Parameters
        ----------
        tolerance
            Gradient norm to reach, in loss/x; positive.
        max_iterations
            Most L-BFGS iterations.

        Returns
        -------
        Network
            The same network at the minimum.

        Raises
        ------
        ValueError
            ``tolerance`` or ``max_iterations`` is not positive.
        """
        tolerance = finite_number("tolerance", tolerance, sign="positive")
        max_iterations = whole_number("max_iterations", max_iterations)
        return self.at(minimise(self._sampled, self._point, tolerance, max_iterations))

    def curvature(
        self, kind: Kind = "hessian", *, route: Route = "auto", params: str | tuple[str, ...] | None = None
    ) -> Curvature:
        """Return the Hessian of f at the point, or another matrix of second order by ``kind``, see ``Curvature``."""
        return Curvature(self._sampled, self._point, kind, route, params)

    @few_threads
    def twin(self, /, rank: int | None = None, kind: str = "quadratic", **settings: Any) -> AnyTwin:
        """Return the landscape and the noise that stand for the network near its minimum.

        "quadratic": with V the ``rank`` (default 20) leading eigenvectors of the Hessian H, landscape V'HV with f at
        the point as its constant and noise ``Full(V'CV)``; origin and basis map the reduced coordinates y to
        parameters, x = origin + V y. "full": all parameters, a quadratic and noise of low rank, with the shares of
        noise and variance it misses. "anharmonic": loss and noise tabulated in one to three leading directions. "last
        layer": least squares in the last layer's weights, exactly solvable. The settings of each stand at its function
        in ``sgdphys.network.twins``: ``quadratic.twin_of``, ``full_space.full_twin_of``,
        ``anharmonic.anharmonic_twin_of``, ``last_layer.last_layer_twin_of``. C is nowhere replaced by H.

        Parameters
        ----------
        rank
            Number of leading directions of the quadratic and the full twin; the anharmonic one takes ``directions``.
        kind
            Which twin.
        **settings
            What else the kind takes: ``directions=`` and one of ``sgd=``, ``temperature=``, ``half_width=`` of the
            anharmonic one, ``output=`` of the last layer's.

        Returns
        -------
        AnyTwin
            ``(landscape, noise)`` for ``simulate(*twin, sgd=sgd, ...)``. Warns with RuntimeWarning away from a minimum.
        """
        return twin_of_kind(self, kind, settings if rank is None else {"rank": rank, **settings})

    def validity(self, sgd: SGD, **options: Any) -> xr.Dataset:
        """Return whether SGD on this network is a Langevin process, and at which temperature.

        Options: ``rank=20`` leading directions of the Hessian, ``n_replicas=200``, ``n_steps=None`` (three times what
        the slowest direction needs), ``svag=(1, 2, 4)`` refinements, () for none, ``tolerance=0.1`` relative difference
        that agrees, ``seed=0``, ``threads``, ``progress``. ``print(network.validity.table(result))`` shows it. A row
        agrees where all of value +- 2 standard errors is within the tolerance, disagrees where none of it is, and is
        not resolved between. What each row is stands at
        :func:`sgdphys.network.validity.assessment.validity_of`.

        Parameters
        ----------
        sgd
            Constant settings; its ``weight_decay`` is 0 or that of the network.

        Returns
        -------
        xr.Dataset
            Rows of the verdict, variances along the directions, the SVAG scan, equivalent settings; attribute
            ``verdict``.
        """
        from sgdphys.network.validity.assessment import validity_of  # loads all analyses

        return validity_of(self, sgd, **options)

    def configuration(self) -> dict[str, Any]:
        """Return what a stored run tells about the network: names, sizes, hashes of its data, fixed parts and loss."""
        sizes = {"dim": self.dim, "n_samples": self.n_samples}
        kind = {"weight_decay": self.weight_decay, "dtype": str(self._point.dtype)}
        return {**self._names, **sizes, **kind, "digests": self._objective.digests}


def _output_itself(output: Tensor, target: Tensor) -> Tensor:  # noqa: ARG001 - the output of a function is its loss
    return output
