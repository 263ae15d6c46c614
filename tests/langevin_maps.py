"""Slow, obvious steps of underdamped Langevin dynamics, part by part, and their linear map on a quadratic."""

from __future__ import annotations

import math

import numpy as np
from scipy import linalg


def friction_part(v, xi, root, time, friction, temperature):
    """Return the velocity after the exact flow of dv = -gamma v dt + sqrt(2 gamma T) B dW."""
    decay = math.exp(-friction * time)
    return decay * v + math.sqrt(temperature * (1 - decay**2)) * root @ xi


def free_motion(x, v, xi, root, time, friction, temperature):
    """Return position and velocity after the exact flow without force; covariances by Van Loan's exponential."""
    generator = np.array([[0.0, 1.0], [0.0, -friction]])
    noise = np.diag([0.0, 2 * friction * temperature])
    zero = np.zeros((2, 2))
    whole = linalg.expm(time * np.block([[-generator, noise], [zero, generator.T]]))
    flow = whole[2:, 2:].T
    covariance = flow @ whole[:2, 2:]
    shared = covariance[0, 1] / math.sqrt(covariance[1, 1])
    own = math.sqrt(covariance[0, 0] - shared**2)
    half = len(xi) // 2
    x = x + flow[0, 1] * v + shared * root @ xi[:half] + own * root @ xi[half:]
    return x, flow[1, 1] * v + math.sqrt(covariance[1, 1]) * root @ xi[:half]


def obabo(x, v, xi, gradient, root, dt, friction, temperature):
    """Half of O, velocity Verlet, half of O."""
    half = len(xi) // 2
    v = friction_part(v, xi[:half], root, dt / 2, friction, temperature)
    v = v - dt / 2 * gradient(x)
    x = x + dt * v
    v = v - dt / 2 * gradient(x)
    return x, friction_part(v, xi[half:], root, dt / 2, friction, temperature)


def baoab(x, v, xi, gradient, root, dt, friction, temperature):
    """Half a kick, half a drift, O, half a drift, half a kick."""
    v = v - dt / 2 * gradient(x)
    x = x + dt / 2 * v
    v = friction_part(v, xi, root, dt, friction, temperature)
    x = x + dt / 2 * v
    return x, v - dt / 2 * gradient(x)


def ubu(x, v, xi, gradient, root, dt, friction, temperature):
    """Half of free motion, a kick, half of free motion."""
    half = len(xi) // 2
    x, v = free_motion(x, v, xi[:half], root, dt / 2, friction, temperature)
    v = v - dt * gradient(x)
    return free_motion(x, v, xi[half:], root, dt / 2, friction, temperature)


STEPS = {"OBABO": (obabo, 2), "BAOAB": (baoab, 1), "UBU": (ubu, 4)}  # and the deviates of each channel


def path(name, gradient, root, start, steps, deviates, **options):
    """Return positions and velocities (steps + 1, coordinate); ``deviates(step, number)`` gives those of a step."""
    step_of, sets = STEPS[name]
    states = [(np.array(start, dtype=float), np.zeros(len(start)))]
    for step in range(steps):
        states.append(step_of(*states[-1], deviates(step, sets * root.shape[1]), gradient, root, **options))
    return np.array([x for x, _ in states]), np.array([v for _, v in states])


def linear_map(name, hessian, root, **options):
    """Return M and N of (x, v) <- M (x, v) + N xi, from the images of unit vectors."""
    step_of, sets = STEPS[name]
    dim, deviates = len(hessian), sets * root.shape[1]

    def image(unit):
        x, v, xi = unit[:dim], unit[dim : 2 * dim], unit[2 * dim :]
        return np.concatenate(step_of(x, v, xi, lambda x: hessian @ x, root, **options))

    columns = np.stack([image(unit) for unit in np.eye(2 * dim + deviates)], axis=1)
    return columns[:, : 2 * dim], columns[:, 2 * dim :]


def stationary_covariance(name, hessian, root, **options):
    """Return the covariance of (x, v) that the step leaves as it is: S = M S M' + N N'."""
    step, noise = linear_map(name, hessian, root, **options)
    return linalg.solve_discrete_lyapunov(step, noise @ noise.T)
