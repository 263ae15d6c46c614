"""Counter-based random bits: Philox4x32-10 (Salmon et al. 2011, SC'11, section 4 and table 2).

A draw is a pure function of (seed, sweep point; particle, step, stream, group). Nothing is stored between steps, so
results do not depend on threads, blocks, chunks or resumption. The layout of counter and key below is a file format
(``schema.RNG_VERSION``):

====  =======================================================================
word  content
====  =======================================================================
c0    particle, low 32 bits
c1    step, low 32 bits (for kicks: number of the group of four steps)
c2    stream (8 bits) and group (24 bits: coordinate or channel)
c3    particle, high 16 bits, and step, high 16 bits
k0    low 32 bits of the 64-bit hash of seed and sweep point
k1    high 32 bits of the same hash
====  =======================================================================

The functions here are plain Python; :mod:`sgdphys.kernels.compile` turns them into machine code.
"""

from __future__ import annotations

import hashlib
import operator

import numpy as np

__all__ = [
    "GROUP_LIMIT", "PARTICLE_LIMIT", "STEP_LIMIT", "STREAMS", "check_counters", "draw", "fill_words",
    "fill_words_in_time", "key_of", "philox_words",
]  # fmt: skip

STREAMS = {
    "kick": 1,  # first normals of a step
    "second_kick": 2,  # second normals of a step, for integrators that need them
    "minibatch": 3,  # sample indices inside the compiled engine
    "start": 4,  # starting positions
    "bridge": 5,  # crossings between two steps
    "network_indices": 6,  # sample indices of replicas of a network
    "network_shuffle": 7,  # epoch orders of replicas of a network
    "network_start": 8,  # starting weights of replicas of a network
    "bootstrap": 9,  # resampling in analyses
    "network_kick": 10,  # normals of replicas of a network, for dynamics that have some
    "network_second_indices": 11,  # sample indices of the second minibatch of a step of SVAG
    "network_dropout": 12,  # seeds of torch's generator, for models with dropout
    "count_sketch": 13,  # bucket and sign of each parameter in a recording
}
PARTICLE_LIMIT = 2**48
STEP_LIMIT = 2**48
GROUP_LIMIT = 2**24

MASK = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
MULTIPLIER_0 = np.uint64(0xD2511F53)
MULTIPLIER_1 = np.uint64(0xCD9E8D57)
WEYL_0 = np.uint64(0x9E3779B9)
WEYL_1 = np.uint64(0xBB67AE85)
LOW_16 = np.uint64(0xFFFF)
SHIFT_16 = np.uint64(16)
SHIFT_24 = np.uint64(24)


def key_of(seed: int, *point: int) -> int:
    """Return the 64-bit Philox key of a seed and the indices of a sweep point.

    Equal arguments give equal noise; any difference gives noise that is independent for every practical purpose
    (the first 8 bytes of BLAKE2b over the decimal text of the arguments).

    Returns
    -------
    int
        The key, below 2^64.

    Raises
    ------
    ValueError
        The seed is negative, or a number is not whole.
    """
    try:
        numbers = [operator.index(number) for number in (seed, *point)]
    except TypeError:
        raise ValueError(f"seed and point must be whole numbers, got seed={seed!r}, point={point!r}") from None
    if numbers[0] < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    text = "sgdphys-1:" + ",".join(map(str, numbers))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def check_counters(*, particles: int, steps: int, groups: int) -> None:
    """Refuse a run that would use a counter twice.

    Raises
    ------
    ValueError
        More particles, steps or channels than the counter layout can number.
    """
    for name, value, limit in (
        ("particles", particles, PARTICLE_LIMIT),
        ("steps", steps, STEP_LIMIT),
        ("channels", groups, GROUP_LIMIT),
    ):
        if value > limit:
            raise ValueError(f"the random counters number at most {limit} {name}, got {value}: the noise would repeat")


def philox_words(key_0, key_1, c0, c1, c2, c3):
    """Return the four output words of Philox4x32-10 for a key and a counter, all held in uint64 below 2^32."""
    for _ in range(10):
        product_0 = MULTIPLIER_0 * c0
        product_1 = MULTIPLIER_1 * c2
        c0 = (product_1 >> HALF) ^ c1 ^ key_0
        c2 = (product_0 >> HALF) ^ c3 ^ key_1
        c1 = product_1 & MASK
        c3 = product_0 & MASK
        key_0 = (key_0 + WEYL_0) & MASK
        key_1 = (key_1 + WEYL_1) & MASK
    return c0, c1, c2, c3


def draw(key, particle, step, stream, group):
    """Return the four words of one particle, step, stream and group, in the counter layout above."""
    c3 = (((particle >> HALF) & LOW_16) << SHIFT_16) | ((step >> HALF) & LOW_16)
    return philox_words(key & MASK, key >> HALF, particle & MASK, step & MASK, (stream << SHIFT_24) | group, c3)


def fill_words(key, particle, step, stream, group, out):
    """Write the four words of each particle ``particle + lane`` to ``out``, shape (4, lane), uint32."""
    for lane in range(out.shape[1]):
        w0, w1, w2, w3 = draw(key, particle + np.uint64(lane), step, stream, group)
        out[0, lane] = w0
        out[1, lane] = w1
        out[2, lane] = w2
        out[3, lane] = w3


def fill_words_in_time(key, particle, step, stream, group, out):
    """Write the four words of each step ``step + lane`` of one particle to ``out``, shape (4 or more, lane), uint32."""
    for lane in range(out.shape[1]):
        w0, w1, w2, w3 = draw(key, particle, step + np.uint64(lane), stream, group)
        out[0, lane] = w0
        out[1, lane] = w1
        out[2, lane] = w2
        out[3, lane] = w3
