"""Data sets of least squares whose exact SGD is known: their numbers stand in the tests that use them."""

from __future__ import annotations

import numpy as np

from sgdphys.landscapes import LeastSquares

FOUR_SAMPLES = LeastSquares(np.array([[1.0], [2.0], [-1.0], [0.5]]), np.array([1.0, 1.0, 0.0, 2.0]))


def twenty_samples():
    """Return 20 samples of three features of unequal scale."""
    generator = np.random.default_rng(3)
    inputs = generator.normal(size=(20, 3)) @ np.diag([1.5, 1.0, 0.5])
    return LeastSquares(inputs, inputs @ [1.0, -1.0, 2.0] + 0.7 * generator.normal(size=20))


def like_fresh_gaussian_data(curvatures=(1.0, 0.25)):
    """Return 24 samples whose moments to fourth order are those of Gaussian features with independent residuals.

    SGD's covariance depends on no others. A standard pair has E r^2 = 2, E r^4 = 8 and a uniform angle: half of the
    points lie at r = 0, half at r = 2 in six directions, each with the residuals 1 and -1.
    """
    angles = 2 * np.pi * np.arange(6) / 6
    ring = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.repeat(np.concatenate([ring, np.zeros((6, 2))]), 2, axis=0)
    return LeastSquares(points * np.sqrt(curvatures), np.tile([1.0, -1.0], 12))


def constant_noise(h, n_samples, seed=0):
    """Return one coordinate of curvature h whose gradient noise has variance h everywhere; its minimum is 0."""
    targets = np.random.default_rng(seed).normal(size=n_samples)
    targets = (targets - targets.mean()) / targets.std()
    return LeastSquares(np.full((n_samples, 1), np.sqrt(h)), targets)
