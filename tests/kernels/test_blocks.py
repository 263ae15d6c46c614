"""Kernels: compiled when first needed, from functions, from text and in the process; programs of several terms."""

import numpy as np
import pytest

from sgdphys.kernels import BlockTerm, FieldKernel, KickKernel, evaluate
from sgdphys.kernels.blocks import pack


def plain(x, parameters, factor, out):
    """Add ``factor * exp(x)`` by the standard library's function."""
    for lane in range(x.shape[1]):
        out[0, lane] += factor * np.exp(x[0, lane])


TEXT = """
def written(x, parameters, factor, out):
    for lane in range(x.shape[1]):
        out[0, lane] += factor * exp(x[0, lane])
"""


@pytest.mark.parametrize(
    "kernel",
    [
        FieldKernel(plain),
        FieldKernel.in_process(plain),
        FieldKernel.from_source("written", "test of blocks", lambda: TEXT),
    ],
    ids=["function", "process", "text"],
)
def test_three_ways_to_a_kernel(kernel):
    x = np.linspace(-1, 1, 300)[:, np.newaxis]
    np.testing.assert_allclose(evaluate([BlockTerm(kernel)], x, 1), np.exp(x), rtol=1e-15)
    assert kernel.address == kernel.address > 0


def test_nothing_is_compiled_before_the_address_is_asked_for():
    def never():
        raise AssertionError("compiled too early")

    kernel = FieldKernel.from_source("never", "a key of its own", never)
    assert kernel.name == "never"
    with pytest.raises(AssertionError, match="too early"):
        _ = kernel.address


def test_kinds_have_their_own_signature():
    assert FieldKernel.signature != KickKernel.signature


def test_programs_lay_parameters_out_in_turn():
    kernel = FieldKernel(plain)
    first, second = BlockTerm(kernel, np.array([1.0, 2.0])), BlockTerm(kernel)
    program = pack([first, second, BlockTerm(kernel, np.ones((2, 2)), -2.0)])
    assert program.offsets.tolist() == [0, 2, 2, 6]
    assert program.parameters.tolist() == [1, 2, 1, 1, 1, 1]
    assert program.factors.tolist() == [1, 1, -2]
    assert set(program.addresses) == {kernel.address}
    assert pack([]).offsets.tolist() == [0]
