"""Steps of SVAG on real minibatches; signature and scratch as in ``kernels.steps``."""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.minibatch_steps import N_SAMPLES, SAMPLING, add_minibatch_gradient
from sgdphys.kernels.settings import DT, OWN
from sgdphys.kernels.steps import WEIGHT_DECAY

__all__ = ["variance_amplified_step"]

EXCESS = OWN  # sqrt(2 l - 1)


def variance_amplified_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """X <- x - (lr/l) (w_1 g_1 + w_2 g_2 + wd x), g_1 and g_2 of two minibatches, w = (1 +- sqrt(2 l - 1))/2."""
    dt = settings[DT]
    shrink = 1.0 - dt * settings[WEIGHT_DECAY]
    for row in range(dim):
        for lane in range(before.shape[1]):
            after[row, lane] = shrink * before[row, lane]
    sampling, n_samples = np.int64(settings[SAMPLING]), np.int64(settings[N_SAMPLES])
    for batch in range(2):
        weight = 0.5 * (1.0 + (1 - 2 * batch) * settings[EXCESS])
        add_minibatch_gradient(
            fields, before, settings, place, batch, sampling, n_samples, -dt * weight, scratch[0], scratch[1], after
        )
