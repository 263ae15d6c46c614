"""Symmetric alpha-stable deviates by the formula of Chambers, Mallows & Stuck, from two random words each.

With V uniform in (-pi/2, pi/2) and W exponential of mean 1,

    X = sin(alpha V) / cos(V)^(1/alpha) * (cos((1 - alpha) V) / W)^((1 - alpha)/alpha)

has the characteristic function exp(-|k|^alpha) (Chambers, Mallows & Stuck 1976, J. Am. Stat. Assoc. 71, 340, for the
symmetric case). Both words keep their 32 bits; the largest deviate is about 2^(33/alpha).
"""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.philox import fill_words
from sgdphys.kernels.vector_math import cos, exp, log, sin

__all__ = ["fill_raw_words", "stable_kick"]

WORD = 2.3283064365386963e-10  # 2^-32
HALF_WORD = 1.1641532182693481e-10
HALF = 0.5
PI = 3.141592653589793


def fill_raw_words(key, particle, quad, stream, channels, words, out):
    """Write random words to ``out`` (4, channel, lane) as the bits of float32; the arguments of ``fill_normals``."""
    some = words.shape[1]
    for channel in range(channels):
        for offset in range(0, out.shape[2], some):
            fill_words(key, particle + np.uint64(offset), quad, stream, np.uint64(channel), words)
            for k in range(4):
                for lane in range(some):
                    out[k, channel, np.uint64(offset + lane)] = np.uint32(words[k, lane]).view(np.float32)


def stable_kick(normals, x, parameters, factor, work, base, out):
    """Add ``factor`` times a stable deviate to each coordinate; parameters: alpha. Channels 2 i, 2 i + 1 serve i."""
    alpha = parameters[0]
    inverse = 1.0 / alpha
    slope = (1.0 - alpha) * inverse
    for row in range(out.shape[0]):
        for lane in range(out.shape[1]):
            angle_word = np.float64(np.float32(normals[2 * row, lane]).view(np.uint32))
            rate_word = np.float64(np.float32(normals[2 * row + 1, lane]).view(np.uint32))
            angle = PI * (angle_word * WORD + HALF_WORD - HALF)
            waiting = -log(rate_word * WORD + HALF_WORD)
            exponent = slope * (log(cos((1.0 - alpha) * angle)) - log(waiting)) - inverse * log(cos(angle))
            out[row, lane] = base[row, lane] + factor * sin(alpha * angle) * exp(exponent)
