"""Raw random words survive as the bits of float32, and the stable kick is the textbook formula."""

import naive
import numpy as np
import pytest

from sgdphys.kernels import KickKernel
from sgdphys.kernels.blocks import NormalsKernel
from sgdphys.kernels.stable import fill_raw_words, stable_kick

FILL = NormalsKernel(fill_raw_words)
KICK = KickKernel(stable_kick)


def test_words_are_those_of_the_counters():
    out = np.empty((4, 2, 128), np.float32)
    FILL.compiled(np.uint64(77), np.uint64(5), np.uint64(9), np.uint64(1), 2, np.empty((4, 64), np.uint32), out)
    for lane in (0, 63, 64, 127):
        for channel in (0, 1):
            expected = naive.words(77, 5 + lane, 9, 1, channel)
            assert tuple(out.view(np.uint32)[:, channel, lane]) == expected


@pytest.mark.parametrize("alpha", [0.5, 0.9, 1.0, 1.3, 2.0])
def test_kick_is_the_formula(alpha):
    words = np.random.default_rng(0).integers(0, 2**32, size=(2, 1000), dtype=np.uint32)
    words[:, :4] = [[0, 2**32 - 1, 0, 2**31], [0, 2**32 - 1, 2**32 - 1, 5]]
    out, zero = np.empty((1, 1000)), np.zeros((1, 1000))
    KICK.compiled(words.view(np.float32), zero, np.array([alpha]), 2.0, np.empty((0, 1000)), zero, out)
    angle = np.pi * ((words[0] + 0.5) / 2**32 - 0.5)
    waiting = -np.log((words[1] + 0.5) / 2**32)
    expected = np.sin(alpha * angle) / np.cos(angle) ** (1 / alpha)
    expected *= (np.cos((1 - alpha) * angle) / waiting) ** ((1 - alpha) / alpha)
    np.testing.assert_allclose(out[0], 2 * expected, rtol=1e-5)
    assert np.isfinite(out).all()
