"""How the gradient noise C lies to the curvature H: along its eigenvectors, and in tr(HC)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import xarray as xr

from sgdphys import schema
from sgdphys.network.curvature.probes import sign_blocks
from sgdphys.network.tensors import to_numpy, to_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.curvature.symmetric_operator import SymmetricOperator

__all__ = ["alignment_of"]

_NAMES = ("curvature_trace", "gradient_noise_trace", "escape_indicator", "escape_ratio", "alignment_cosine")


class _Forms(NamedTuple):
    """tr H, tr C, tr(HC), |H|^2, |C|^2: a sure part, and what each probe says of the rest (form, probe)."""

    sure: NDArray[np.float64]
    probed: NDArray[np.float64]


def alignment_of(
    curvature: SymmetricOperator, noise: SymmetricOperator, k: int, n_probes: int | None, seed: int
) -> xr.Dataset:
    """Return how two matrices lie to each other; see ``SymmetricOperator.alignment``."""
    leading, following = curvature.top(k, seed=seed), noise.top(k, seed=seed)
    directions, values = leading["eigenvector"].values, leading["eigenvalue"].values
    V = to_tensor(directions, device=curvature.like.device, dtype=curvature.like.dtype)
    images = noise.products(V)
    if n_probes is None or len(V) <= n_probes:
        forms = _exact(curvature, noise)
    else:
        forms = _probed(curvature, noise, (V, torch.as_tensor(values).to(V), images), n_probes, seed)
    numbers, errors = _numbers(forms, len(curvature.like))
    projected = np.asarray(directions.T @ to_numpy(images), dtype=float)
    overlap = np.linalg.svd(directions.T @ following["eigenvector"].values, compute_uv=False)
    with np.errstate(divide="ignore", invalid="ignore"):  # shares of nothing are NaN
        along = np.diag(projected) / numbers[1]
        per_curvature = along / (values / numbers[0])
    variables: dict[str, Any] = {
        "eigenvalue": (schema.MODE, values),
        "projected_noise": ((schema.MODE, "mode_2"), (projected + projected.T) / 2),
        "noise_share": (schema.MODE, along),
        "noise_curvature_ratio": (schema.MODE, per_curvature),
        "principal_cosine": (schema.MODE, np.minimum(overlap, 1.0)),
        **{name: ((), number) for name, number in zip(_NAMES, numbers, strict=True)},
        **{f"{name}_standard_error": ((), error) for name, error in zip(_NAMES, errors, strict=True)},
    }
    return xr.Dataset({name: (*value, schema.describe(name)) for name, value in variables.items()})


def _exact(curvature: SymmetricOperator, noise: SymmetricOperator) -> _Forms:
    H, C = (np.asarray(operator.dense(), dtype=float) for operator in (curvature, noise))
    sure = [np.trace(H), np.trace(C), np.sum(H * C), np.sum(H * H), np.sum(C * C)]
    return _Forms(np.array(sure), np.zeros((5, 0)))


def _probed(
    curvature: SymmetricOperator,
    noise: SymmetricOperator,
    leading: tuple[Tensor, Tensor, Tensor],
    n_probes: int,
    seed: int,
) -> _Forms:
    """Take the span of the leading eigenvectors of H as it is, and random signs outside of it."""
    V, values, images = leading
    bent = V * values
    sure = _products_of(V, bent, images).sum(dim=1)
    blocks = []
    for signs in sign_blocks(n_probes, seed, V[:, 0]):
        outside = signs - V @ (V.T @ signs)
        blocks.append(_products_of(outside, curvature.products(outside), noise.products(outside)))
    return _Forms(to_numpy(sure), to_numpy(torch.cat(blocks, dim=1)))


def _products_of(z: Tensor, Hz: Tensor, Cz: Tensor) -> Tensor:
    """Return z'Hz, z'Cz, z'HCz, z'H^2 z and z'C^2 z for each column, (5, column), in float64."""
    z, Hz, Cz = z.double(), Hz.double(), Cz.double()
    return torch.stack([(a * b).sum(dim=0) for a, b in ((z, Hz), (z, Cz), (Hz, Cz), (Hz, Hz), (Cz, Cz))])


def _numbers(forms: _Forms, dim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the five numbers and their standard errors by the jackknife over the probes; 0 when exact."""
    count = forms.probed.shape[1]
    if count == 0:
        return _ratios(forms.sure, dim), np.zeros(5)
    total = forms.probed.sum(axis=1, keepdims=True)
    without = _ratios(forms.sure[:, None] + (total - forms.probed) / max(count - 1, 1), dim)
    spread = np.sum((without - without.mean(axis=1, keepdims=True)) ** 2, axis=1)
    errors = np.sqrt((count - 1) / count * spread) if count > 1 else np.full(5, np.nan)
    return _ratios(forms.sure + total[:, 0] / count, dim), errors


def _ratios(forms: NDArray[np.float64], dim: int) -> NDArray[np.float64]:
    trace_H, trace_C, product, square_H, square_C = forms
    with np.errstate(divide="ignore", invalid="ignore"):  # a matrix of zeros lies to no other
        escape = dim * product / (trace_H * trace_C)
        cosine = product / np.sqrt(square_H * square_C)
    return np.stack([trace_H, trace_C, product, escape, cosine])
