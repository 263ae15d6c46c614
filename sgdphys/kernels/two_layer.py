"""Block kernels of a network of one hidden layer: p(a) = b_0 + sum_k b_k phi(w_k . a + c_k), half the squared residual.

The coordinates are the rows w_k one after the other, then the offsets c, the output weights b, and b_0. Parameters are
the width, the number of features, and the table of samples (a, y). ``activation_of`` and ``activation_slope_of``, which
takes the value of the activation, are bound when a kernel is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.kernels.finite_sums import gather_rows
from sgdphys.kernels.vector_math import tanh

if TYPE_CHECKING:
    from sgdphys.kernels.stack import STACK_LANES, stack_row

    def activation_of(value): ...  # the stand-in for what a kernel is bound to

    def activation_slope_of(activation): ...


__all__ = [
    "rectified", "rectified_slope", "tanh_activation", "tanh_slope", "two_layer_gradient", "two_layer_potential",
    "two_layer_sample",
]  # fmt: skip

FAST_MATH = ("contract", "nsz")


def tanh_activation(value):
    """Return tanh."""
    return tanh(value)


def tanh_slope(activation):
    """Return the derivative of tanh where it has this value."""
    return 1.0 - activation * activation


def rectified(value):
    """Return max(value, 0); NaN stays NaN."""
    return 0.0 if value < 0.0 else value


def rectified_slope(activation):
    """Return 1 above zero, else 0."""
    return 1.0 if activation > 0.0 else 0.0


def two_layer_sample(x, parameters, indices, weights, work, out):
    """Add the gradients of samples; work has features + width + 3 rows: the sample, the hidden layer, two more."""
    width = int(parameters[0])
    features = int(parameters[1])
    gather_rows(parameters[2:], indices, features + 1, work)
    hidden = work[features + 1 :]
    residual = hidden[width]
    signal = hidden[width + 1]
    pass_forward(x, width, features, work, hidden, residual, signal)
    for lane in range(x.shape[1]):
        residual[lane] *= weights[lane]
        out[width * (features + 2), lane] += residual[lane]
    pass_backward(x, width, features, work, hidden, residual, signal, out)


def pass_forward(x, width, features, rows, hidden, residual, signal):
    """Write the hidden layer and the residual of one sample a lane, whose inputs and target are in ``rows``."""
    output = width * (features + 1)
    lanes = x.shape[1]
    for lane in range(lanes):
        residual[lane] = x[output + width, lane] - rows[features, lane]
    for unit in range(width):
        for lane in range(lanes):
            signal[lane] = x[width * features + unit, lane]
        for feature in range(features):
            for lane in range(lanes):
                signal[lane] += x[unit * features + feature, lane] * rows[feature, lane]
        for lane in range(lanes):
            activation = activation_of(signal[lane])
            hidden[unit, lane] = activation
            residual[lane] += x[output + unit, lane] * activation


def pass_backward(x, width, features, rows, hidden, residual, signal, out):
    """Add the gradient by all weights but the output offset, from the hidden layer and the weighted residual."""
    output = width * (features + 1)
    lanes = x.shape[1]
    for unit in range(width):
        for lane in range(lanes):
            activation = hidden[unit, lane]
            out[output + unit, lane] += residual[lane] * activation
            signal[lane] = residual[lane] * x[output + unit, lane] * activation_slope_of(activation)
            out[width * features + unit, lane] += signal[lane]
        for feature in range(features):
            for lane in range(lanes):
                out[unit * features + feature, lane] += signal[lane] * rows[feature, lane]


def activate(x, parameters, sample, unit, first, hidden):
    """Write the activation of a hidden unit at a sample, for the lanes of ``hidden`` from ``first`` on."""
    width = int(parameters[0])
    features = int(parameters[1])
    start = 2 + sample * (features + 1)
    for lane in range(hidden.shape[0]):
        hidden[lane] = x[width * features + unit, np.uint64(first + lane)]
    for feature in range(features):
        entry = parameters[start + feature]
        for lane in range(hidden.shape[0]):
            hidden[lane] += entry * x[unit * features + feature, np.uint64(first + lane)]
    for lane in range(hidden.shape[0]):
        hidden[lane] = activation_of(hidden[lane])


def find_residual(x, parameters, sample, first, hidden, residual):
    """Write prediction minus target of a sample, for the lanes from ``first`` on; ``hidden`` is scratch."""
    width = int(parameters[0])
    features = int(parameters[1])
    output = width * (features + 1)
    target = parameters[2 + sample * (features + 1) + features]
    for lane in range(hidden.shape[0]):
        residual[lane] = x[output + width, np.uint64(first + lane)] - target
    for unit in range(width):
        activate(x, parameters, sample, unit, first, hidden)
        for lane in range(hidden.shape[0]):
            residual[lane] += x[output + unit, np.uint64(first + lane)] * hidden[lane]


def add_unit_gradient(x, parameters, sample, unit, first, hidden, residual, out):
    """Add a hidden unit's part of the gradient of a sample, whose weighted residual is known."""
    width = int(parameters[0])
    features = int(parameters[1])
    output = width * (features + 1)
    start = 2 + sample * (features + 1)
    activate(x, parameters, sample, unit, first, hidden)
    for lane in range(hidden.shape[0]):
        activation = hidden[lane]
        out[output + unit, np.uint64(first + lane)] += residual[lane] * activation
        hidden[lane] = residual[lane] * x[output + unit, np.uint64(first + lane)] * activation_slope_of(activation)
        out[width * features + unit, np.uint64(first + lane)] += hidden[lane]
    for feature in range(features):
        entry = parameters[start + feature]
        for lane in range(hidden.shape[0]):
            out[unit * features + feature, np.uint64(first + lane)] += entry * hidden[lane]


def two_layer_gradient(x, parameters, factor, out):
    """Add ``factor`` times the mean gradient over all samples; hidden units are computed twice, none is stored."""
    width = int(parameters[0])
    features = int(parameters[1])
    samples = (parameters.shape[0] - 2) // (features + 1)
    weight = factor / samples
    hidden_row, residual_row = stack_row(), stack_row()
    for first in range(0, x.shape[1], STACK_LANES):
        count = min(STACK_LANES, x.shape[1] - first)
        hidden, residual = hidden_row[:count], residual_row[:count]
        for sample in range(samples):
            find_residual(x, parameters, sample, first, hidden, residual)
            for lane in range(count):
                residual[lane] *= weight
                out[width * (features + 2), np.uint64(first + lane)] += residual[lane]
            for unit in range(width):
                add_unit_gradient(x, parameters, sample, unit, first, hidden, residual, out)


def two_layer_potential(x, parameters, factor, out):
    """Add ``factor`` times the mean of half the squared residual over all samples."""
    samples = (parameters.shape[0] - 2) // (int(parameters[1]) + 1)
    weight = 0.5 * factor / samples
    hidden_row, residual_row = stack_row(), stack_row()
    for first in range(0, x.shape[1], STACK_LANES):
        count = min(STACK_LANES, x.shape[1] - first)
        hidden, residual = hidden_row[:count], residual_row[:count]
        for sample in range(samples):
            find_residual(x, parameters, sample, first, hidden, residual)
            for lane in range(count):
                out[0, np.uint64(first + lane)] += weight * residual[lane] * residual[lane]
