"""Elementary functions in float64 that vectorise: polynomials and rational functions without a call into libm.

Accuracy against NumPy is a few units in the last place over the stated ranges; beyond them the functions saturate as
the true ones do (exp overflows to infinity, log(0) is -infinity, log of a negative number is NaN). Sine and cosine
reduce their argument by pi/2 in three parts and lose accuracy, like every such reduction, once |x| exceeds about 1e9;
they stay within [-1, 1].
Coefficients: Cephes library, double precision (Moshier 1989, Methods and Programs for Mathematical Functions).
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["cos", "cosh", "exp", "log", "sin", "sinh", "tan", "tanh"]

FAST_MATH = ("contract", "nsz")  # the argument reductions below must not be reassociated

INFINITY = math.inf
NOT_A_NUMBER = math.nan
LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93145751953125e-1
LN2_LOW = 1.42860682030941723212e-6
EXPONENT_BIAS = np.int64(1023)
EXPONENT_BITS = np.int64(52)
MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
ROOT_HALF = np.int64(0x3FE6A09E667F3BCD)
TINY_SCALE = 18014398509481984.0  # 2^54 lifts subnormal numbers
TWO_OVER_PI = 0.6366197723675814
HALF_PI_1 = 1.570796325802803  # pi/2 in three parts of 30, 30 and 53 bits
HALF_PI_2 = 9.920935791635221e-10
HALF_PI_3 = 5.170182981794105e-19


def exp(x):
    """Exponential of a float64."""
    bounded = x if x < 709.9 else 709.9
    bounded = bounded if bounded > -745.2 else -745.2
    power = np.floor(bounded * LOG2_E + 0.5)
    r = bounded - power * LN2_HIGH
    r = r - power * LN2_LOW
    square = r * r
    p = r * ((1.26177193074810590878e-4 * square + 3.02994407707441961300e-2) * square + 9.99999999999999999910e-1)
    q = (
        (3.00198505138664455042e-6 * square + 2.52448340349684104192e-3) * square + 2.27265548208155028766e-1
    ) * square + 2.0
    mantissa = 1.0 + 2.0 * p / (q - p)
    whole = np.int64(power)
    half = whole >> np.int64(1)
    first = np.int64((half + EXPONENT_BIAS) << EXPONENT_BITS).view(np.float64)
    second = np.int64((whole - half + EXPONENT_BIAS) << EXPONENT_BITS).view(np.float64)
    value = mantissa * first * second
    return value if x == x else x


def log(x):
    """Natural logarithm of a float64."""
    small = x < 2.2250738585072014e-308
    scaled = x * TINY_SCALE if small else x
    bits = np.int64(np.float64(scaled).view(np.int64) - ROOT_HALF)
    exponent = np.float64(bits >> EXPONENT_BITS) - (54.0 if small else 0.0)
    m = np.int64((bits & MANTISSA) + ROOT_HALF).view(np.float64) - 1.0
    square = m * m
    p = 1.01875663804580931796e-4 * m + 4.97494994976747001425e-1
    p = ((p * m + 4.70579119878881725854) * m + 1.44989225341610930846e1) * m + 1.79368678507819816313e1
    p = p * m + 7.70838733755885391666
    q = m + 1.12873587189167450590e1
    q = ((q * m + 4.52279145837532221105e1) * m + 8.29875266912776603211e1) * m + 7.11544750618563894466e1
    q = q * m + 2.31251620126765340583e1
    value = m * square * p / q - exponent * 2.121944400546905827679e-4 - 0.5 * square
    value = value + m + exponent * 0.693359375
    limited = value if x != 0.0 else -INFINITY
    limited = limited if x >= 0.0 else NOT_A_NUMBER
    return x if x == INFINITY else limited


def _reduced(x):
    power = np.floor(x * TWO_OVER_PI + 0.5)
    r = ((x - power * HALF_PI_1) - power * HALF_PI_2) - power * HALF_PI_3
    r = 0.0 if r * r > 0.65 else r  # nothing is left of an argument so large; a true remainder has r^2 < 0.617
    return r, np.int64(power)


def _sine_part(r):
    z = r * r
    p = 1.58962301576546568060e-10 * z - 2.50507477628578072866e-8
    p = (p * z + 2.75573136213857245213e-6) * z - 1.98412698295895385996e-4
    p = (p * z + 8.33333333332211858878e-3) * z - 1.66666666666666307295e-1
    return r + r * z * p


def _cosine_part(r):
    z = r * r
    p = -1.13585365213876817300e-11 * z + 2.08757008419747316778e-9
    p = (p * z - 2.75573141792967388112e-7) * z + 2.48015872888517045348e-5
    p = (p * z - 1.38888888888730564116e-3) * z + 4.16666666666665929218e-2
    return 1.0 - 0.5 * z + z * z * p


def sin(x):
    """Sine of a float64 in radians."""
    r, quadrant = _reduced(x)
    value = _cosine_part(r) if (quadrant & np.int64(1)) != 0 else _sine_part(r)
    return -value if (quadrant & np.int64(2)) != 0 else value


def cos(x):
    """Cosine of a float64 in radians."""
    r, quadrant = _reduced(x)
    value = _sine_part(r) if (quadrant & np.int64(1)) != 0 else _cosine_part(r)
    return -value if ((quadrant + np.int64(1)) & np.int64(2)) != 0 else value


def tan(x):
    """Tangent of a float64 in radians."""
    return sin(x) / cos(x)


def sinh(x):
    """Hyperbolic sine of a float64."""
    z = x * x
    series = (((z * (1.0 / 110.0) + 1.0) * z * (1.0 / 72.0) + 1.0) * z * (1.0 / 42.0) + 1.0) * z * (1.0 / 20.0) + 1.0
    series = x + x * z * (1.0 / 6.0) * series
    half = exp((x if x > 0.0 else -x) * 0.5)
    large = half * (0.5 * half) - 0.5 / half / half
    large = large if x > 0.0 else -large
    return series if z < 0.09 else large


def cosh(x):
    """Hyperbolic cosine of a float64."""
    half = exp((x if x > 0.0 else -x) * 0.5)
    return half * (0.5 * half) + 0.5 / half / half


def tanh(x):
    """Hyperbolic tangent of a float64."""
    magnitude = x if x > 0.0 else -x
    z = x * x
    p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3
    q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3
    small = x + x * z * p / q
    large = 1.0 - 2.0 / (exp(2.0 * magnitude) + 1.0)
    large = large if x > 0.0 else -large
    value = small if magnitude < 0.625 else large
    return value if x == x else x
