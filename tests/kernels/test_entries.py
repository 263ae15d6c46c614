"""The compact form of a call: its text, its signature, and that nothing changes on the way."""

import numpy as np
import pytest
from numba import njit, types
from numba.core.errors import TypingError

from sgdphys.kernels.blocks import FieldKernel
from sgdphys.kernels.entries import entry_signature, entry_text
from sgdphys.kernels.pointers import FIELD, KICK, field_at


def sum_of_rows(x, parameters, factor, out):
    for row in range(x.shape[0]):
        for lane in range(x.shape[1]):
            out[0, lane] += factor * parameters[row] * x[row, lane]


def test_a_matrix_is_three_arguments():
    assert len(entry_signature(FIELD).args) == 3 + 2 + 1 + 3
    assert len(entry_signature(KICK).args) == 5 * 3 + 2 + 1
    assert entry_signature(types.void(types.int64)).args == (types.int64,)
    text = entry_text("field", FIELD)
    assert text.startswith("def field_entry(a0, a1, a2, a3, a4, a5, a6, a7, a8):")
    assert "field(array_of(a0, (a1, a2,)), array_of(a3, (a4,)), a5, array_of(a6, (a7, a8,)))" in text


@pytest.mark.parametrize("make", [FieldKernel, FieldKernel.in_process])
def test_a_call_through_an_address_is_a_call_of_the_kernel(make):
    kernel = make(sum_of_rows)

    @njit
    def call(address, x, parameters, factor, out):
        field_at(address)(x, parameters, factor, out)

    x, parameters = np.arange(12.0).reshape(3, 4), np.array([1.0, 10.0, 100.0])
    called, direct = np.ones((1, 4)), np.ones((1, 4))
    call(np.uint64(kernel.address), x, parameters, 2.0, called)
    kernel.compiled(x, parameters, 2.0, direct)
    np.testing.assert_array_equal(called, direct)
    np.testing.assert_array_equal(called[0], 1 + 2 * parameters @ x)


def test_arguments_of_another_kind_are_refused():
    @njit
    def call(address, x):
        field_at(address)(x, x, 1.0, x)

    with pytest.raises(TypingError, match="KernelAddress"):
        call(np.uint64(0), np.zeros((2, 2)))
