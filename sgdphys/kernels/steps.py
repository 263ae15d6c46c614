"""One step of each integrator on a block: plain functions that the common loop is compiled with.

All have the signature ``step(before, after, dim, gradient, kick, normals, settings)``: ``before`` and ``after`` are
(row, lane) with the coordinates in the first ``dim`` rows; ``normals`` are the (channel, lane) float32 deviates of
this step; ``settings`` is the flat array that the integrator's ``settings`` method returns.
"""

from __future__ import annotations

from sgdphys.kernels.evaluation import add_field
from sgdphys.kernels.kicks import apply_kick

__all__ = ["euler_maruyama_step", "heavy_ball_step", "stochastic_gradient_step"]


def euler_maruyama_step(before, after, dim, gradient, kick, normals, settings):
    """X <- x - dt grad f(x) + sqrt(2 T dt) B xi; settings: dt, sqrt(2 T dt)."""
    apply_kick(kick, normals, before, settings[1], before, after)
    add_field(gradient, before, -settings[0], after)


def stochastic_gradient_step(before, after, dim, gradient, kick, normals, settings):
    """X <- x - lr (grad f(x) + wd x) + noise; settings: lr, sqrt(lr^2 factor / B), weight decay."""
    apply_kick(kick, normals, before, settings[1], before, after)
    if settings[2] != 0.0:
        shrink = settings[0] * settings[2]
        for row in range(dim):
            for lane in range(before.shape[1]):
                after[row, lane] -= shrink * before[row, lane]
    add_field(gradient, before, -settings[0], after)


def heavy_ball_step(before, after, dim, gradient, kick, normals, settings):
    """V <- mu v + grad f(x) + wd x - noise, x <- x - lr v; settings: lr, sqrt(factor / B), weight decay, mu."""
    lr = settings[0]
    momentum = settings[3]
    x = before[:dim]
    velocity = after[dim:]
    apply_kick(kick, normals, x, -settings[1], before[dim:], velocity)
    for row in range(dim):
        for lane in range(before.shape[1]):
            velocity[row, lane] += (momentum - 1.0) * before[dim + row, lane] + settings[2] * x[row, lane]
    add_field(gradient, x, 1.0, velocity)
    for row in range(dim):
        for lane in range(before.shape[1]):
            after[row, lane] = x[row, lane] - lr * velocity[row, lane]
