"""The noise scale weighted by curvature, without a gradient of a single sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr

from sgdphys import schema

if TYPE_CHECKING:
    from sgdphys.network.curvature.symmetric_operator import SymmetricOperator
    from sgdphys.network.noise.sample_gradients import SampleGradients

__all__ = ["curvature_scale"]


def curvature_scale(noise: SampleGradients, curvature: SymmetricOperator, n_probes: int, seed: int) -> xr.Dataset:
    """Return tr(HC)/(G'HG) from random sums of centred gradients.

    Parameters
    ----------
    noise
        The gradients.
    curvature
        The matrix H of the same parameters.
    n_probes
        Number of sums, two or more.
    seed
        Seed of their signs.

    Returns
    -------
    xr.Dataset
        ``curvature_noise_scale`` with ``_standard_error``.
    """
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(2, (n_probes, noise.n_samples), generator=generator).to(noise.point) * 2 - 1
    sums = torch.stack([noise.weighted_sum(w - w.mean()) for w in signs], dim=1)
    mean = noise.mean_gradient
    columns = torch.cat([sums, mean[:, None]], dim=1)
    forms = (columns * curvature.products(columns)).sum(dim=0).double().cpu().numpy()
    traces, along = forms[:-1] * (noise.correction / noise.n_samples), forms[-1]
    ratio = traces / along if along > 0 else np.full(n_probes, np.nan)
    values = {
        "curvature_noise_scale": ratio.mean(),
        "curvature_noise_scale_standard_error": ratio.std(ddof=1) / n_probes**0.5,
    }
    return xr.Dataset({name: ((), np.asarray(value), schema.describe(name)) for name, value in values.items()})
