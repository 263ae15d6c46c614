"""Steps of SGD on real minibatches of a finite-sum landscape; signature and scratch as in ``kernels.steps``."""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.sampling import SHUFFLE, add_batch_gradient
from sgdphys.kernels.settings import BATCH_SIZE, DT, EPOCH, OFFSET, OWN
from sgdphys.kernels.steps import WEIGHT_DECAY, advance_heavy_ball

__all__ = ["add_minibatch_gradient", "minibatch_heavy_ball_step", "minibatch_step"]

SAMPLING = OWN + 5
N_SAMPLES = OWN + 6


def add_minibatch_gradient(fields, x, settings, place, batch, sampling, n_samples, factor, work, indices, out):
    """Add ``factor`` times the mean gradient of this step's minibatch to ``out``; ``batch`` tells two apart."""
    _gradient, _divergence, _drive, sample = fields
    counter = np.uint64(settings[EPOCH]) if sampling == SHUFFLE else place[2]
    add_batch_gradient(
        sample, x, place[0], place[1], counter, np.uint64(batch), np.int64(settings[BATCH_SIZE]), n_samples, sampling,
        np.int64(settings[OFFSET]), factor, (work, indices), out,
    )  # fmt: skip


def minibatch_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """X <- x - lr (mean gradient of the minibatch + wd x)."""
    lr = settings[DT]
    shrink = 1.0 - lr * settings[WEIGHT_DECAY]
    for row in range(dim):
        for lane in range(before.shape[1]):
            after[row, lane] = shrink * before[row, lane]
    sampling, n_samples = np.int64(settings[SAMPLING]), np.int64(settings[N_SAMPLES])
    add_minibatch_gradient(fields, before, settings, place, 0, sampling, n_samples, -lr, scratch[0], scratch[1], after)


def minibatch_heavy_ball_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """V <- mu v + (1 - dampening) g, x <- x - lr v or its Nesterov form, with g of the minibatch."""
    x = before[:dim]
    gradient = scratch[0][:dim]
    for row in range(dim):
        for lane in range(before.shape[1]):
            gradient[row, lane] = settings[WEIGHT_DECAY] * x[row, lane]
    sampling, n_samples = np.int64(settings[SAMPLING]), np.int64(settings[N_SAMPLES])
    add_minibatch_gradient(
        fields, x, settings, place, 0, sampling, n_samples, 1.0, scratch[0][dim:], scratch[1], gradient
    )
    advance_heavy_ball(before, after, dim, gradient, settings, place)
