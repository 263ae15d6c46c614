"""One step of the integrators that ``simulate`` takes by default, on a block: plain functions for the common loop.

All steps have the signature ``step(before, after, dim, fields, kick, normals, settings, place, scratch)``:

before, after
    State (row, lane), the coordinates in the first ``dim`` rows; the step reads one and writes the other.
fields
    Packed programs of gradient, divergence of D, drive, and gradients of samples; see ``kernels.forces``.
kick, normals
    Packed program of the noise, and the float32 deviates of this step (set * channel, lane).
settings
    This step's numbers, see ``kernels.settings``; the integrator's own begin at ``OWN``.
place
    uint64: key, number of the first lane's particle, absolute step.
scratch
    Numbers (row, lane), sample indices (4, lane), and the deviates of the next step for integrators with ``ahead``.
"""

from __future__ import annotations

from sgdphys.kernels.forces import add_force
from sgdphys.kernels.kicks import apply_kick
from sgdphys.kernels.settings import AMPLITUDE, DT, OWN

__all__ = ["euler_maruyama_step", "heavy_ball_step", "stochastic_gradient_step"]

WEIGHT_DECAY = OWN + 1
MOMENTUM = OWN + 2
GAIN = OWN + 3
NESTEROV = OWN + 4


def euler_maruyama_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """X <- x - dt grad f(x) + sqrt(2 T dt) B xi."""
    apply_kick(kick, normals, before, settings[AMPLITUDE], scratch[0], before, after)
    add_force(fields, before, settings, -settings[DT], after)


def stochastic_gradient_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """X <- x - lr (grad f(x) + wd x) + noise; own numbers: sqrt(factor / B), wd."""
    lr = settings[DT]
    apply_kick(kick, normals, before, lr * settings[OWN], scratch[0], before, after)
    if settings[WEIGHT_DECAY] != 0.0:
        shrink = lr * settings[WEIGHT_DECAY]
        for row in range(dim):
            for lane in range(before.shape[1]):
                after[row, lane] -= shrink * before[row, lane]
    add_force(fields, before, settings, -lr, after)


def heavy_ball_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    """V <- mu v + (1 - dampening) g, x <- x - lr v, or with Nesterov x <- x - lr (g + mu v).

    Here g = grad f(x) + wd x - noise; own numbers: sqrt(factor / B), wd, mu, 1 - dampening, 1 for Nesterov. At
    step 0 the velocity becomes g itself, as torch does it.
    """
    x = before[:dim]
    gradient = scratch[0][:dim]
    for row in range(dim):
        for lane in range(before.shape[1]):
            gradient[row, lane] = settings[WEIGHT_DECAY] * x[row, lane]
    apply_kick(kick, normals, x, -settings[OWN], scratch[0][dim:], gradient, gradient)
    add_force(fields, x, settings, 1.0, gradient)
    advance_heavy_ball(before, after, dim, gradient, settings, place)


def advance_heavy_ball(before, after, dim, gradient, settings, place):
    """Update velocity and position with the batch gradient (coordinate, lane)."""
    lr = settings[DT]
    momentum = settings[MOMENTUM]
    gain = 1.0 if place[2] == 0 else settings[GAIN]
    nesterov = settings[NESTEROV]
    for row in range(dim):
        for lane in range(before.shape[1]):
            velocity = momentum * before[dim + row, lane] + gain * gradient[row, lane]
            direction = velocity + nesterov * (gradient[row, lane] + (momentum - 1.0) * velocity)
            after[dim + row, lane] = velocity
            after[row, lane] = before[row, lane] - lr * direction
