"""Minibatches inside the engine: which samples a particle sees, as a pure function of counters, and their gradient.

With replacement every position of a batch is an independent draw. Without, and for epochs of a shuffled order, the
samples at positions 0, 1, 2, ... are a keyed permutation of the data set, evaluated one position at a time, so that no
order is ever stored. The permutation is the swap-or-not shuffle (Hoang, Morris & Rogaway 2012, CRYPTO, LNCS 7417, 1):
in each round a pivot K in [0, N) pairs X with (K - X) mod N, and a coin of the round and of the larger of the two
decides whether the pair changes places. It is a bijection for every N, without cycle walking.

After 32 rounds with ideal pivots and coins the distance from the uniform distribution over all N! orders, in total
variation, is 1e-10, 2e-10, 2e-7, 7e-8, 5e-8 for N = 2, 3, 4, 5, 6, and that of the images of two positions from
uniform falls from 2e-8 at N = 6 to 1e-9 at N = 30. Pivots and coins come from a generator of 128 bits of state
(xoshiro128++, Blackman & Vigna 2021, ACM Trans. Math. Softw. 47, 36) that starts from the Philox words of the particle,
the counter and the batch; a pivot and an independent draw are ``floor(word N / 2^32)``, whose probabilities differ from
1/N by less than 2^-32.

The group of the counter (24 bits) holds the batch in bit 23, the kind of draw in bit 22 and, with replacement, the
number of the group of four positions in the rest: see ``sgdphys.kernels.philox`` for the layout around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sgdphys.kernels.philox import STREAMS, draw

if TYPE_CHECKING:
    from sgdphys.kernels.pointers import sample_at

__all__ = [
    "BATCH_SIZE_LIMIT", "REPLACEMENT", "SAMPLES_LIMIT", "SAMPLING_CODES", "SHUFFLE", "WITHOUT", "add_batch_gradient",
    "fill_indices",
]  # fmt: skip

REPLACEMENT, WITHOUT, SHUFFLE = 0, 1, 2
SAMPLING_CODES = {"replacement": REPLACEMENT, "without": WITHOUT, "shuffle": SHUFFLE}
SAMPLES_LIMIT = 2**31  # largest data set that an index of 32 bits and its pivots can number
BATCH_SIZE_LIMIT = 2**24  # four positions a group, and 22 bits for the group

ROUNDS = 32
MINIBATCH_STREAM = np.uint64(STREAMS["minibatch"])
BATCH_SHIFT = np.uint64(23)
PERMUTATION_BIT = np.uint64(1 << 22)
WORD_BITS = np.uint64(32)
ONE_64 = np.uint64(1)
FOUR_64 = np.uint64(4)
NO_BIT = np.uint32(0)
SHIFT_7, SHIFT_9, SHIFT_11, SHIFT_15 = np.uint32(7), np.uint32(9), np.uint32(11), np.uint32(15)
SHIFT_16_32, SHIFT_21, SHIFT_25, SHIFT_31 = np.uint32(16), np.uint32(21), np.uint32(25), np.uint32(31)
MIX_1 = np.uint32(0x7FEB352D)
MIX_2 = np.uint32(0x846CA68B)


def coin(value):
    """Return one bit of a uint32, each input bit moving it half of the time: top bit of a multiply-and-shift mix."""
    mixed = np.uint32(np.uint32(value ^ (value >> SHIFT_16_32)) * MIX_1)
    mixed = np.uint32(np.uint32(mixed ^ (mixed >> SHIFT_15)) * MIX_2)
    return (mixed >> SHIFT_31) != NO_BIT


def swap_or_not(x, pivot, salt, n):
    """Return x or its partner (pivot - x) mod n, by the coin of the larger of the two; all uint32, n <= 2^31."""
    below = np.uint32(pivot - x)
    above = np.uint32(below + n)
    partner = below if below < above else above  # what wrapped around 2^32 is above 2^31
    larger = x if x > partner else partner
    return partner if coin(np.uint32(larger ^ salt)) else x


def next_word(s0, s1, s2, s3):
    """Return one uint32 of xoshiro128++ and its state afterwards."""
    total = np.uint32(s0 + s3)
    word = np.uint32(np.uint32(total << SHIFT_7 | total >> SHIFT_25) + s0)
    shifted = np.uint32(s1 << SHIFT_9)
    s2 = np.uint32(s2 ^ s0)
    s3 = np.uint32(s3 ^ s1)
    s1 = np.uint32(s1 ^ s2)
    s0 = np.uint32(s0 ^ s3)
    s2 = np.uint32(s2 ^ shifted)
    s3 = np.uint32(s3 << SHIFT_11 | s3 >> SHIFT_21)
    return word, s0, s1, s2, s3


def fill_permuted(key, particle, counter, group, n, first, out):
    """Write the images of positions ``first`` .. ``first + 3`` under each lane's permutation to ``out`` (4, lane)."""
    lanes = out.shape[1]
    halves = out.view(np.uint32)  # 32-bit words keep the vectors full: images in the first half, state in the second
    x0, x1, x2, x3 = halves[0, :lanes], halves[1, :lanes], halves[2, :lanes], halves[3, :lanes]
    s0, s1, s2, s3 = halves[0, lanes:], halves[1, lanes:], halves[2, lanes:], halves[3, lanes:]
    for lane in range(lanes):
        s0[lane], s1[lane], s2[lane], s3[lane] = draw(key, particle + np.uint64(lane), counter, MINIBATCH_STREAM, group)
    for k in range(4):
        for lane in range(lanes):
            halves[k, lane] = min(first + np.uint64(k), n - ONE_64)
    small = np.uint32(n)
    for _ in range(ROUNDS):
        for lane in range(lanes):
            word, a, b, c, d = next_word(s0[lane], s1[lane], s2[lane], s3[lane])
            salt, a, b, c, d = next_word(a, b, c, d)
            s0[lane], s1[lane], s2[lane], s3[lane] = a, b, c, d
            pivot = np.uint32((np.uint64(word) * n) >> WORD_BITS)
            x0[lane] = swap_or_not(x0[lane], pivot, salt, small)
            x1[lane] = swap_or_not(x1[lane], pivot, salt, small)
            x2[lane] = swap_or_not(x2[lane], pivot, salt, small)
            x3[lane] = swap_or_not(x3[lane], pivot, salt, small)
    for k in range(4):
        for behind in range(lanes):  # from the last lane on, because the wide index overwrites the words of two lanes
            last = np.uint64(lanes - 1 - behind)
            out[k, last] = np.int64(halves[k, last])


def fill_drawn(key, particle, counter, group, n, out):
    """Write four independent draws from range(n) of each lane to ``out`` (4, lane)."""
    for lane in range(out.shape[1]):
        w0, w1, w2, w3 = draw(key, particle + np.uint64(lane), counter, MINIBATCH_STREAM, group)
        out[0, lane] = np.int64((w0 * n) >> WORD_BITS)
        out[1, lane] = np.int64((w1 * n) >> WORD_BITS)
        out[2, lane] = np.int64((w2 * n) >> WORD_BITS)
        out[3, lane] = np.int64((w3 * n) >> WORD_BITS)


def fill_indices(key, particle, counter, batch, quad, n_samples, sampling, offset, out):
    """Write the samples at positions ``offset + 4 quad + k``, k = 0..3, of the minibatch of particle + lane.

    ``counter`` is the step, or for sampling ``SHUFFLE`` the epoch, within which ``offset`` is the position of the
    batch; with replacement ``offset`` has no meaning. ``batch`` (0 or 1) tells two independent batches of a step
    apart. ``out`` is (4, lane) int64 in [0, n_samples); positions beyond the data set repeat its last position.
    """
    n = np.uint64(n_samples)
    group = np.uint64(batch) << BATCH_SHIFT
    if sampling == REPLACEMENT:
        fill_drawn(key, particle, np.uint64(counter), group | np.uint64(quad), n, out)
    else:
        first = np.uint64(offset) + FOUR_64 * np.uint64(quad)
        fill_permuted(key, particle, np.uint64(counter), group | PERMUTATION_BIT, n, first, out)


def add_batch_gradient(
    sample, x, key, particle, counter, batch, batch_size, n_samples, sampling, offset, scale, scratch, out
):
    """Add ``scale / batch_size`` times the sum of the gradients of each lane's minibatch to ``out`` (coordinate, lane).

    ``sample`` is the packed program of one sample kernel; ``scratch`` holds a work array (row, lane), whose last row
    this function fills with weights, and one for indices (4, lane). The other arguments are those of
    :func:`fill_indices`.
    """
    addresses, factors, _offsets, parameters = sample
    work, indices = scratch
    add_sample_gradients = sample_at(addresses[0])
    weights = work[work.shape[0] - 1]
    weight = scale * factors[0] / batch_size
    for lane in range(x.shape[1]):
        weights[lane] = weight
    for quad in range((batch_size + 3) // 4):
        fill_indices(key, particle, counter, batch, quad, n_samples, sampling, offset, indices)
        for k in range(min(4, batch_size - 4 * quad)):
            add_sample_gradients(x, parameters, indices[k], weights, work, out)
