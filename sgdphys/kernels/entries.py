"""The compact form in which kernels are called: numba hands a matrix over as nine numbers, here it is three.

A kernel of 5 matrices would otherwise take 55 arguments, most of them through memory: more work than a step of one
particle. ``entry_text`` wraps a kernel in a function of plain pointers and sizes; ``call_entry`` emits the call of one.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["array_of", "call_entry", "entry_signature", "entry_text"]

_LONG = ir.IntType(64)


def entry_signature(signature: Any) -> Any:
    """Return the signature in which each array is a pointer and its sizes."""
    flat: list[Any] = []
    for argument in signature.args:
        flat += [types.CPointer(argument.dtype), *[types.int64] * argument.ndim] if _is_array(argument) else [argument]
    return types.void(*flat)


def entry_text(name: str, signature: Any) -> str:
    """Return the text of ``<name>_entry``, which makes arrays of its arguments and calls ``name``."""
    flat: list[str] = []
    arguments = []
    for argument in signature.args:
        count = 1 + argument.ndim if _is_array(argument) else 1
        new = [f"a{len(flat) + k}" for k in range(count)]
        flat += new
        arguments.append(f"array_of({new[0]}, ({', '.join(new[1:])},))" if _is_array(argument) else new[0])
    return f"def {name}_entry({', '.join(flat)}):\n    {name}({', '.join(arguments)})\n"


def call_entry(context: Any, builder: Any, address: Any, kinds: Any, values: Any) -> None:
    """Emit the call of an entry at ``address`` with arguments of the numba types ``kinds``."""
    flat = []
    for kind, value in zip(kinds, values, strict=True):
        if _is_array(kind):
            array = context.make_array(kind)(context, builder, value)
            flat += [array.data, *cgutils.unpack_tuple(builder, array.shape)]
        else:
            flat.append(value)
    flat_kinds = entry_signature(types.void(*kinds)).args
    function_type = context.call_conv.get_function_type(types.none, flat_kinds)
    function = builder.inttoptr(address, function_type.as_pointer())
    context.call_conv.call_function(builder, function, types.none, flat_kinds, flat)


def _is_array(argument: Any) -> bool:
    return isinstance(argument, types.Array)


def _array_of(_context: Any, data: Any, shape: Any) -> Any:
    """Return the contiguous array of a shape that begins at a pointer."""
    kind = types.Array(data.dtype, len(shape), "C")

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer, packed = arguments
        array = context.make_array(kind)(context, builder)
        itemsize = ir.Constant(_LONG, context.get_abi_sizeof(context.get_data_type(data.dtype)))
        strides = [itemsize]
        for size in reversed(cgutils.unpack_tuple(builder, packed)[1:]):
            strides.insert(0, builder.mul(size, strides[0]))
        context.populate_array(
            array,
            data=pointer,
            shape=packed,
            strides=cgutils.pack_array(builder, strides),
            itemsize=itemsize,
            meminfo=None,
        )
        return array._getvalue()

    return kind(data, shape), generate


array_of: Any = intrinsic(_array_of)
