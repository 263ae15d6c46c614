"""Scratch on the stack: a row of numbers for kernels that get no scratch from their caller and must not allocate."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["STACK_LANES", "stack_row"]

STACK_LANES = 256
_ROW = types.Array(types.float64, 1, "C")


def _stack_row(_context: Any) -> Any:
    """Return an uninitialised float64 array of ``STACK_LANES`` numbers that lives until the kernel returns."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        row = ir.ArrayType(ir.DoubleType(), STACK_LANES)
        memory = cgutils.alloca_once(builder, row)
        array = context.make_array(_ROW)(context, builder)
        length, stride = (ir.Constant(ir.IntType(64), number) for number in (STACK_LANES, 8))
        context.populate_array(
            array,
            data=builder.bitcast(memory, ir.DoubleType().as_pointer()),
            shape=cgutils.pack_array(builder, [length]),
            strides=cgutils.pack_array(builder, [stride]),
            itemsize=stride,
            meminfo=None,
        )
        return array._getvalue()

    return _ROW(), generate


stack_row: Any = intrinsic(_stack_row)
