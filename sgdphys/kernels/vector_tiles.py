"""The innermost loop of matrix products, written for the registers of the machine it is compiled on.

A compiler keeps no array of sums in registers, so a tile of a few rows and one or more vectors of lanes is spelled out
here in LLVM's instructions: the tile's sums stay in registers while the columns pass, which takes one load for several
products instead of three. Tiles of any size do the same arithmetic to a lane: from zero, ``sum = sum + a * x`` over
the columns in their order, then ``out = out + factor * sum``, both fused where the machine can.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, errors
from numba.extending import intrinsic

__all__ = ["TILE_ROWS", "add_lanes", "add_tiles", "tile_lanes"]

TILE_ROWS = 6  # six rows by four vectors of 32 registers, or by two of 16, leave room for x and the matrix
_LONG = ir.IntType(64)
_DOUBLE = ir.DoubleType()


def _lanes_of(context: Any) -> int:
    """Return the lanes of a tile: vectors per row times doubles per vector of the processor compiled for."""
    triple, _name, features = context.codegen().magic_tuple()
    there = set(features.split(","))
    if "+avx512f" in there:
        return 4 * 8
    if "+avx" in there:
        return 2 * 4
    return 4 * 2 if triple.startswith(("aarch64", "arm64")) else 2 * 2


def _width(_context: Any) -> Any:
    """Return the lanes of a tile of ``add_tiles``; a constant of the machine."""

    def generate(context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
        return ir.Constant(_LONG, _lanes_of(context))

    return types.int64(), generate


def _tiles(name: str, most_rows: int, wide: bool) -> Any:
    def typed(_context: Any, matrix: Any, x: Any, _factor: Any, out: Any, _place: Any) -> Any:
        _check_types(matrix, x, out)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            arrays = [context.make_array(signature.args[k])(context, builder, arguments[k]) for k in (0, 1, 3)]
            _by_rows(builder, arrays, arguments, most_rows, _lanes_of(context) if wide else 1)
            return context.get_dummy_value()

        return types.void(matrix, x, types.float64, out, types.UniTuple(types.int64, 6)), generate

    typed.__name__ = name
    typed.__doc__ = f"""Add ``factor * matrix @ x`` of {"whole tiles" if wide else "one row"} to ``out``.

    ``matrix`` is flat, ``x`` and ``out`` (row, lane). ``place`` is what the call covers: the first row and the number
    of rows, 1 to {most_rows}; the first column and the one after the last; the first lane and the one after the last.
    """
    return intrinsic(typed)


def _check_types(matrix: Any, x: Any, out: Any) -> None:
    flat, block = types.Array(types.float64, 1, "C"), types.Array(types.float64, 2, "C")
    single = types.Array(types.float32, 2, "C")
    if matrix != flat or x not in {block, single} or out != block:
        raise errors.TypingError(f"a matrix product takes contiguous arrays, got {matrix}, {x} and {out}")


def _by_rows(builder: Any, arrays: list[Any], arguments: Any, most_rows: int, width: int) -> None:
    """Emit one loop over lanes for each number of rows, and the choice between them."""
    factor = arguments[2]
    row, rows, first, last, lane, end = cgutils.unpack_tuple(builder, arguments[4])
    columns, lanes = cgutils.unpack_tuple(builder, arrays[1].shape)
    matrix = builder.gep(arrays[0].data, [builder.mul(row, columns)])
    out = builder.gep(arrays[2].data, [builder.mul(row, lanes)])
    done = builder.append_basic_block("done")
    choice = builder.switch(rows, done)
    for count in range(1, most_rows + 1):
        block = builder.append_basic_block(f"rows{count}")
        choice.add_case(ir.Constant(_LONG, count), block)
        builder.position_at_end(block)
        weights = _row_starts(builder, matrix, columns, count)
        targets = _row_starts(builder, out, lanes, count)
        with cgutils.for_range_slice(builder, lane, end, ir.Constant(_LONG, width)) as (place, _):
            sums = _sums(builder, weights, builder.gep(arrays[1].data, [place]), lanes, first, last, width)
            _add(builder, sums, factor, [builder.gep(target, [place]) for target in targets], width)
        builder.branch(done)
    builder.position_at_end(done)


def _row_starts(builder: Any, start: Any, stride: Any, count: int) -> list[Any]:
    return [builder.gep(start, [builder.mul(stride, ir.Constant(_LONG, row))]) for row in range(count)]


def _sums(builder: Any, weights: list[Any], x: Any, stride: Any, first: Any, last: Any, width: int) -> list[Any]:
    """Emit the loop over columns; return the sums of each row as vectors of ``width`` lanes."""
    zero = ir.Constant(ir.VectorType(_DOUBLE, width), [0.0] * width)
    sums = [cgutils.alloca_once(builder, zero.type) for _ in weights]  # registers once LLVM has optimised
    for total in sums:
        builder.store(zero, total)
    with cgutils.for_range_slice(builder, first, last, ir.Constant(_LONG, 1)) as (column, _):
        values = _load(builder, builder.gep(x, [builder.mul(column, stride)]), width)
        for total, row in zip(sums, weights, strict=True):
            weight = _spread(builder, builder.load(builder.gep(row, [column])), width)
            builder.store(_fused(builder, weight, values, builder.load(total)), total)
    return [builder.load(total) for total in sums]


def _add(builder: Any, sums: list[Any], factor: Any, targets: list[Any], width: int) -> None:
    scale = _spread(builder, factor, width)
    for total, target in zip(sums, targets, strict=True):
        vector = builder.bitcast(target, total.type.as_pointer())
        builder.store(_fused(builder, scale, total, builder.load(vector, align=8)), vector, align=8)


def _load(builder: Any, pointer: Any, width: int) -> Any:
    scalar = pointer.type.pointee
    single = scalar != _DOUBLE
    vector = builder.bitcast(pointer, ir.VectorType(scalar, width).as_pointer())
    values = builder.load(vector, align=4 if single else 8)
    return builder.fpext(values, ir.VectorType(_DOUBLE, width)) if single else values


def _spread(builder: Any, value: Any, width: int) -> Any:
    """Return a vector of equal entries."""
    empty = ir.Constant(ir.VectorType(value.type, width), ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width))


def _fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once where the machine has the instruction for it."""
    kind = ir.FunctionType(c.type, [c.type] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{c.type.count}f64")
    return builder.call(function, [a, b, c])


tile_lanes: Any = intrinsic(_width)
add_tiles = _tiles("add_tiles", TILE_ROWS, wide=True)
add_lanes = _tiles("add_lanes", 1, wide=False)
