"""Tensor products of cubic B-splines on equally spaced knots: values, first and second derivatives, block by block.

Parameters of all kernels: 1 where the field continues linearly beyond the outermost knots or 0 where it is constant
there, then for each axis its first knot, the inverse spacing h and the number n of knots, then the coefficients, for
each row an array of n + 2 along each axis, last axis fastest. In the cell of knot k, at x = knot k + h t, the four
coefficients from k on have the weights of the cubic B-spline at t. Beyond an edge, at the distance s, a weight w
becomes w + s w': the field continues linearly along that axis, with the edge's slope and one continuous derivative.
Beyond a corner the changes along both axes add up, without their product, which could fall without end where both
slopes rise; there the derivative has a kink on the lines that go on from the edges.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "clamped", "spline_gradient_1", "spline_gradient_2", "spline_gradient_3", "spline_hessian_1", "spline_hessian_2",
    "spline_hessian_3", "spline_values_1", "spline_values_2", "spline_values_3",
]  # fmt: skip

SIXTH = 1.0 / 6.0


def clamped(position, parameters, axis):
    """Find the cell, the place t in it, and by how many spacings the position lies beyond the knots.

    A NaN is at the first knot, and NaN beyond it, so that indices stay within the table and the value is NaN.

    Returns
    -------
    tuple
        Number of the cell's first knot, t from 0 to 1, and the excess.
    """
    knots = parameters[3 + 3 * axis]
    place = (position - parameters[1 + 3 * axis]) * parameters[2 + 3 * axis]
    inside = place if place > 0.0 else 0.0
    inside = inside if inside < knots - 1.0 else knots - 1.0
    cell = min(np.int64(inside), np.int64(knots) - 2)
    return cell, inside - cell, place - inside


def weights_of_values(t, beyond, linear):
    """Return the weights of the four coefficients."""
    s = 1.0 - t
    out = linear * beyond
    return (
        SIXTH * s * s * s - out * 0.5 * s * s,
        SIXTH * (3.0 * t * t * t - 6.0 * t * t + 4.0) + out * (1.5 * t * t - 2.0 * t),
        SIXTH * (3.0 * s * s * s - 6.0 * s * s + 4.0) - out * (1.5 * s * s - 2.0 * s),
        SIXTH * t * t * t + out * 0.5 * t * t,
    )


def weights_of_slopes(t, beyond, linear, inverse):
    """Return the weights of the four coefficients in the first derivative."""
    s = 1.0 - t
    scale = inverse * ((1.0 if beyond == 0.0 else linear) + 0.0 * beyond)
    return (
        -scale * 0.5 * s * s,
        scale * (1.5 * t * t - 2.0 * t),
        -scale * (1.5 * s * s - 2.0 * s),
        scale * 0.5 * t * t,
    )


def weights_of_curvatures(t, beyond, inverse):
    """Return the weights of the four coefficients in the second derivative, 0 beyond the knots."""
    s = 1.0 - t
    scale = inverse * inverse * ((1.0 if beyond == 0.0 else 0.0) + 0.0 * beyond)
    return scale * s, scale * (3.0 * t - 2.0), scale * (3.0 * s - 2.0), scale * t


def line(a, table, place):
    """Return the weighted sum of four coefficients in a row."""
    return a[0] * table[place] + a[1] * table[place + 1] + a[2] * table[place + 2] + a[3] * table[place + 3]


def plane(a, b, table, place, stride):
    """Return the weighted sum of 4 x 4 coefficients."""
    return (
        a[0] * line(b, table, place)
        + a[1] * line(b, table, place + stride)
        + a[2] * line(b, table, place + 2 * stride)
        + a[3] * line(b, table, place + 3 * stride)
    )


def cube(a, b, c, table, place, strides):
    """Return the weighted sum of 4 x 4 x 4 coefficients."""
    first, second = strides
    return (
        a[0] * plane(b, c, table, place, second)
        + a[1] * plane(b, c, table, place + first, second)
        + a[2] * plane(b, c, table, place + 2 * first, second)
        + a[3] * plane(b, c, table, place + 3 * first, second)
    )


def spline_values_1(x, parameters, factor, out):
    """Add ``factor`` times the fields of one coordinate, a row each."""
    linear = parameters[0]
    size = np.int64(parameters[3]) + 2
    for row in range(out.shape[0]):
        first = 4 + row * size
        for lane in range(x.shape[1]):
            cell, t, beyond = clamped(x[0, lane], parameters, 0)
            out[row, lane] += factor * line(weights_of_values(t, beyond, linear), parameters, first + cell)


def spline_gradient_1(x, parameters, factor, out):
    """Add ``factor`` times the derivative of the field of one coordinate."""
    linear = parameters[0]
    inverse = parameters[2]
    for lane in range(x.shape[1]):
        cell, t, beyond = clamped(x[0, lane], parameters, 0)
        out[0, lane] += factor * line(weights_of_slopes(t, beyond, linear, inverse), parameters, 4 + cell)


def spline_hessian_1(x, parameters, factor, out):
    """Add ``factor`` times the second derivative of the field of one coordinate."""
    inverse = parameters[2]
    for lane in range(x.shape[1]):
        cell, t, beyond = clamped(x[0, lane], parameters, 0)
        out[0, lane] += factor * line(weights_of_curvatures(t, beyond, inverse), parameters, 4 + cell)


def spline_values_2(x, parameters, factor, out):
    """Add ``factor`` times the fields of two coordinates, a row each."""
    linear = parameters[0]
    stride = np.int64(parameters[6]) + 2
    size = (np.int64(parameters[3]) + 2) * stride
    for row in range(out.shape[0]):
        first = 7 + row * size
        for lane in range(x.shape[1]):
            i, t, beyond = clamped(x[0, lane], parameters, 0)
            j, u, above = clamped(x[1, lane], parameters, 1)
            place = first + i * stride + j
            a = weights_of_values(t, beyond, linear)
            b = weights_of_values(u, above, linear)
            value = plane(a, b, parameters, place, stride)
            if beyond != 0.0 and above != 0.0:
                a0 = weights_of_values(t, 0.0, linear)
                b0 = weights_of_values(u, 0.0, linear)
                value = plane(a, b0, parameters, place, stride) + plane(a0, b, parameters, place, stride)
                value -= plane(a0, b0, parameters, place, stride)
            out[row, lane] += factor * value


def spline_gradient_2(x, parameters, factor, out):
    """Add ``factor`` times the gradient of the field of two coordinates."""
    linear = parameters[0]
    stride = np.int64(parameters[6]) + 2
    for lane in range(x.shape[1]):
        i, t, beyond = clamped(x[0, lane], parameters, 0)
        j, u, above = clamped(x[1, lane], parameters, 1)
        place = 7 + i * stride + j
        inside = 0.0 if beyond != 0.0 and above != 0.0 else 1.0
        a = weights_of_values(t, inside * beyond, linear)
        b = weights_of_values(u, inside * above, linear)
        da = weights_of_slopes(t, beyond, linear, parameters[2])
        db = weights_of_slopes(u, above, linear, parameters[5])
        out[0, lane] += factor * plane(da, b, parameters, place, stride)
        out[1, lane] += factor * plane(a, db, parameters, place, stride)


def spline_hessian_2(x, parameters, factor, out):
    """Add ``factor`` times the second derivatives of the field of two coordinates, row-major."""
    linear = parameters[0]
    stride = np.int64(parameters[6]) + 2
    for lane in range(x.shape[1]):
        i, t, beyond = clamped(x[0, lane], parameters, 0)
        j, u, above = clamped(x[1, lane], parameters, 1)
        place = 7 + i * stride + j
        da = weights_of_slopes(t, beyond, linear, parameters[2])
        db = weights_of_slopes(u, above, linear, parameters[5])
        inside = 0.0 if beyond != 0.0 and above != 0.0 else 1.0
        mixed = inside * factor * plane(da, db, parameters, place, stride)
        a = weights_of_values(t, beyond, linear)
        b = weights_of_values(u, above, linear)
        dda = weights_of_curvatures(t, beyond, parameters[2])
        ddb = weights_of_curvatures(u, above, parameters[5])
        out[0, lane] += factor * plane(dda, b, parameters, place, stride)
        out[1, lane] += mixed
        out[2, lane] += mixed
        out[3, lane] += factor * plane(a, ddb, parameters, place, stride)


def spline_values_3(x, parameters, factor, out):
    """Add ``factor`` times the fields of three coordinates, a row each."""
    second = np.int64(parameters[9]) + 2
    first = (np.int64(parameters[6]) + 2) * second
    size = (np.int64(parameters[3]) + 2) * first
    for row in range(out.shape[0]):
        for lane in range(x.shape[1]):
            i, t, beyond = clamped(x[0, lane], parameters, 0)
            j, u, above = clamped(x[1, lane], parameters, 1)
            k, v, after = clamped(x[2, lane], parameters, 2)
            place = 10 + row * size + i * first + j * second + k
            places = (t, u, v)
            excess = (beyond, above, after)
            out[row, lane] += factor * derivative_3(places, excess, parameters, place, (first, second), (0, 0, 0))


def spline_gradient_3(x, parameters, factor, out):
    """Add ``factor`` times the gradient of the field of three coordinates."""
    second = np.int64(parameters[9]) + 2
    first = (np.int64(parameters[6]) + 2) * second
    for lane in range(x.shape[1]):
        i, t, beyond = clamped(x[0, lane], parameters, 0)
        j, u, above = clamped(x[1, lane], parameters, 1)
        k, v, after = clamped(x[2, lane], parameters, 2)
        place = 10 + i * first + j * second + k
        places = (t, u, v)
        excess = (beyond, above, after)
        strides = (first, second)
        out[0, lane] += factor * derivative_3(places, excess, parameters, place, strides, (1, 0, 0))
        out[1, lane] += factor * derivative_3(places, excess, parameters, place, strides, (0, 1, 0))
        out[2, lane] += factor * derivative_3(places, excess, parameters, place, strides, (0, 0, 1))


def spline_hessian_3(x, parameters, factor, out):
    """Add ``factor`` times the second derivatives of the field of three coordinates, row-major."""
    second = np.int64(parameters[9]) + 2
    first = (np.int64(parameters[6]) + 2) * second
    for row in range(3):
        for column in range(3):
            for lane in range(x.shape[1]):
                place = np.int64(10)
                i, t, beyond = clamped(x[0, lane], parameters, 0)
                j, u, above = clamped(x[1, lane], parameters, 1)
                k, v, after = clamped(x[2, lane], parameters, 2)
                place += i * first + j * second + k
                orders = (
                    (row == 0) + (column == 0),
                    (row == 1) + (column == 1),
                    (row == 2) + (column == 2),
                )
                places = (t, u, v)
                excess = (beyond, above, after)
                out[row * 3 + column, lane] += factor * derivative_3(
                    places, excess, parameters, place, (first, second), orders
                )


def derivative_3(places, excess, parameters, place, strides, orders):
    """Return a derivative of given orders of the field of three coordinates: see the module on corners."""
    linear = parameters[0]
    t, u, v = places
    a = derived_weights(t, excess[0], linear, parameters[2], orders[0])
    b = derived_weights(u, excess[1], linear, parameters[5], orders[1])
    c = derived_weights(v, excess[2], linear, parameters[8], orders[2])
    out = (excess[0] != 0.0, excess[1] != 0.0, excess[2] != 0.0)
    if out[0] + out[1] + out[2] < 2:
        return cube(a, b, c, parameters, place, strides)
    # f(edge) + sum over axes of excess times slope there; a derivative along an axis beyond keeps its own term alone
    derived = (out[0] and orders[0] > 0) + (out[1] and orders[1] > 0) + (out[2] and orders[2] > 0)
    if derived > 1:
        return 0.0 * (excess[0] + excess[1] + excess[2])
    a0 = a if orders[0] > 0 else weights_of_values(t, 0.0, linear)
    b0 = b if orders[1] > 0 else weights_of_values(u, 0.0, linear)
    c0 = c if orders[2] > 0 else weights_of_values(v, 0.0, linear)
    plain = cube(a0, b0, c0, parameters, place, strides)
    if derived == 1:
        return plain + 0.0 * (excess[0] + excess[1] + excess[2])
    changes = cube(a, b0, c0, parameters, place, strides) + cube(a0, b, c0, parameters, place, strides)
    return changes + cube(a0, b0, c, parameters, place, strides) - 2.0 * plain


def derived_weights(t, beyond, linear, inverse, order):
    """Return the weights of the four coefficients in the derivative of an order from 0 to 2."""
    if order == 0:
        return weights_of_values(t, beyond, linear)
    if order == 1:
        return weights_of_slopes(t, beyond, linear, inverse)
    return weights_of_curvatures(t, beyond, inverse)
