"""Linear drifts that are no gradients, their stationary states, and the equation with a circulation of its own."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from sgdphys.kernels import BlockTerm, FieldKernel
from sgdphys.kernels.vector_math import exp


def linear_field(x, parameters, factor, out):
    """Add ``factor * A x``."""
    dim = x.shape[0]
    for i in range(dim):
        for j in range(dim):
            for lane in range(x.shape[1]):
                out[i, lane] += factor * parameters[i * dim + j] * x[j, lane]


def circulating_field(x, parameters, factor, out):
    """Add ``factor * (grad Phi - j)`` of example 19 of Chaudhari & Soatto, Phi = (x^2 - 1)^2 / 4 + y^2 / 2."""
    for lane in range(x.shape[1]):
        a = x[0, lane]
        b = x[1, lane]
        exponent = 0.25 * (1.0 - 2.0 * a * a + 2.0 * b * b - 2.0 * a * a * b * b - b * b * b * b)
        speed = parameters[0] * exp(exponent)
        out[0, lane] += factor * (a * (a * a - 1.0) + speed * b)
        out[1, lane] += factor * (b - speed * a)


LINEAR, CIRCULATING = FieldKernel(linear_field), FieldKernel(circulating_field)


class Drift:
    """What the engine needs of a landscape: the field; there is no potential whose gradient it is."""

    def __init__(self, kernel, parameters, dim):
        self.dim = dim
        self.term = BlockTerm(kernel, np.asarray(parameters, dtype=float).ravel())

    def gradient_terms(self):
        return (self.term,)


def linear_drift(matrix):
    return Drift(LINEAR, matrix, len(matrix))


def circulation(strength):
    return Drift(CIRCULATING, [strength], 2)


class Chain:
    """x <- M x + noise with M = 1 - dt A and covariance 2 T D dt of the noise; everything exact."""

    def __init__(self, drift, diffusion, temperature, dt):
        self.A, self.D = np.asarray(drift, float), temperature * np.asarray(diffusion, float)
        self.M = np.eye(len(self.A)) - dt * self.A
        self.V, self.dt = 2 * dt * self.D, dt
        self.S = solve_discrete_lyapunov(self.M, self.V)

    def correlation(self, steps):
        """Return <x_0 x_k^T> in the stationary state."""
        return self.S @ np.linalg.matrix_power(self.M, steps).T

    def current_rate(self, weight, *, midpoint=True):
        """Return the mean of sum w_ij x_j dx_i per time, x at the midpoint or (Ito) at the beginning."""
        later = self.M @ self.S
        early = self.S
        change = (later - early) if not midpoint else ((later - early) + (self.S - later.T)) / 2
        return float(np.sum(np.asarray(weight) * change)) / self.dt

    def draws(self, n, seed=0):
        """Return n draws of the stationary state."""
        return np.random.default_rng(seed).multivariate_normal(np.zeros(len(self.S)), self.S, size=n)


ROTATED = np.array([[0.55, 0.45], [0.45, 0.55]])  # diag(1, .1), turned by 45 degrees
BROKEN_BALANCE = np.diag([2.0, 0.5]), ROTATED  # Hessian and gradient covariance of case C1
