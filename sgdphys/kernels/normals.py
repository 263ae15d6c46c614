"""Normal deviates by Box-Muller in float32, written so that LLVM vectorises them.

Two 32-bit words give two independent normals: u = (w + 1) 2^-32 in (0, 1] gives the radius sqrt(-2 ln u), the other
word the angle (Box & Muller 1958, Ann. Math. Stat. 29, 610). The largest deviate is 6.66, which a Gaussian exceeds once
in 4e10 draws; u has the 24 bits of a float32, so the smallest radius above 0 is 3.5e-4. Logarithm, sine and cosine are
polynomials on integer-reduced arguments (coefficients as in the Cephes library's single-precision functions, Moshier
1989), because pip's numba has no vector mathematics library and one call into libm stops vectorisation.
"""

from __future__ import annotations

import numpy as np

from sgdphys.kernels.philox import fill_words, fill_words_in_time

__all__ = ["fill_normals", "normals_from_words"]

F = np.float32
ONE = F(1.0)
HALF_32 = F(0.5)
TWO_32 = F(2.0)
ZERO_32 = F(0.0)
LN_2 = F(0.6931471805599453)
ROOT_HALF_BITS = np.int32(0x3F3504F3)  # bits of sqrt(1/2): the mantissa is reduced to [sqrt(1/2), sqrt(2))
MANTISSA_BITS = np.int32(0x007FFFFF)
EXPONENT_SHIFT = np.int32(23)
THIRTY_TWO = np.int32(32)
L0, L1, L2 = F(7.0376836292e-2), F(-1.1514610310e-1), F(1.1676998740e-1)
L3, L4, L5 = F(-1.2420140846e-1), F(1.4249322787e-1), F(-1.6668057665e-1)
L6, L7, L8 = F(2.0000714765e-1), F(-2.4999993993e-1), F(3.3333331174e-1)
S0, S1, S2 = F(-1.9515295891e-4), F(8.3321608736e-3), F(-1.6666654611e-1)
C0, C1, C2 = F(2.443315711809948e-5), F(-1.388731625493765e-3), F(4.166664568298827e-2)
QUARTER_TURN = F(1.4629180792671596e-9)  # (pi / 2) / 2^30
EIGHTH_BITS = np.int32(0x20000000)
THIRTY = np.int32(30)
BIT_0 = np.int32(1)
BIT_1 = np.int32(2)


def normals_from_words(words, channel, offset, out):
    """Turn ``words`` (4, lane) uint32 into standard normals ``out[:, channel, offset:]``; row k serves step 4 q + k."""
    for pair in range(2):
        for lane in range(words.shape[1]):
            uniform = np.float32(words[2 * pair, lane]) + ONE
            bits = np.int32(np.float32(uniform).view(np.int32) - ROOT_HALF_BITS)
            exponent = np.int32(bits >> EXPONENT_SHIFT)
            m = np.int32((bits & MANTISSA_BITS) + ROOT_HALF_BITS).view(np.float32) - ONE
            square = m * m
            tail = L0 * m + L1
            tail = ((tail * m + L2) * m + L3) * m + L4
            tail = (((tail * m + L5) * m + L6) * m + L7) * m + L8
            logarithm = m - HALF_32 * square + tail * m * square
            minus_log = np.float32(np.int32(THIRTY_TWO - exponent)) * LN_2 - logarithm
            radius = np.sqrt(TWO_32 * (minus_log if minus_log > ZERO_32 else ZERO_32))
            turn = np.int32(words[2 * pair + 1, lane])
            quadrant = np.int32(np.int32(turn + EIGHTH_BITS) >> THIRTY)
            angle = np.float32(np.int32(turn - np.int32(quadrant << THIRTY))) * QUARTER_TURN
            square = angle * angle
            sine = ((S0 * square + S1) * square + S2) * square * angle + angle
            cosine = ((C0 * square + C1) * square + C2) * square * square - HALF_32 * square + ONE
            swap = (quadrant & BIT_0) != 0
            first = sine if swap else cosine
            second = cosine if swap else sine
            first = -first if (np.int32(quadrant + BIT_0) & BIT_1) != 0 else first
            second = -second if (quadrant & BIT_1) != 0 else second
            out[2 * pair, channel, np.uint64(offset + lane)] = radius * first
            out[2 * pair + 1, channel, np.uint64(offset + lane)] = radius * second


def fill_normals(key, particle, quad, stream, channels, words, out):
    """Write the normals of groups of four consecutive steps to ``out`` (4 * group, channel, lane) float32.

    ``words`` is scratch: of shape (4, n) with n a divisor of the number of lanes for one group, small, so that it stays
    in the cache; of shape (8, group) for several groups of a block of a few lanes.
    """
    if out.shape[0] > 4:
        fill_normals_in_time(key, particle, quad, stream, channels, words, out)
        return
    some = words.shape[1]
    for channel in range(channels):
        for offset in range(0, out.shape[2], some):
            fill_words(key, particle + np.uint64(offset), quad, stream, np.uint64(channel), words)
            normals_from_words(words, channel, offset, out)


def fill_normals_in_time(key, particle, quad, stream, channels, words, out):
    """Do so lane by lane, the groups of steps side by side."""
    groups = words.shape[1]
    made = words[4:8].view(np.float32).reshape((4, 1, groups))
    for channel in range(channels):
        for lane in range(out.shape[2]):
            fill_words_in_time(key, particle + np.uint64(lane), quad, stream, np.uint64(channel), words)
            normals_from_words(words[:4], 0, 0, made)
            for row in range(4):
                for group in range(groups):
                    out[4 * group + row, channel, lane] = made[row, 0, group]
