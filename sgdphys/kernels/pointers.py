"""Typed function pointers: block kernels are compiled apart and joined at run time by their addresses.

``field_at(address)`` turns an address into a function that compiled code can call; likewise for kicks,
normals, observers and samples.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "FIELD",
    "KICK",
    "NORMALS",
    "OBSERVER",
    "SAMPLE",
    "field_at",
    "kick_at",
    "normals_at",
    "observer_at",
    "sample_at",
]

_MATRIX = types.Array(types.float64, 2, "C")
_VECTOR = types.Array(types.float64, 1, "C")
_NORMALS = types.Array(types.float32, 2, "C")

FIELD = types.void(_MATRIX, _VECTOR, types.float64, _MATRIX)  # x, parameters, factor, out: out += factor * field
# normals, x, parameters, factor, work, base, out: out = base + factor * B(x) xi
KICK = types.void(_NORMALS, _MATRIX, _VECTOR, types.float64, _MATRIX, _MATRIX, _MATRIX)
# x, parameters, indices, weights, work, out: out += weights * gradient of the samples at indices
SAMPLE = types.void(
    _MATRIX, _VECTOR, types.Array(types.int64, 1, "C"), types.Array(types.float64, 1, "C"), _MATRIX, _MATRIX
)
# before, after, lanes in use, place (key, first particle, step), row of times, settings, parameters, own, table
OBSERVER = types.void(
    _MATRIX, _MATRIX, types.int64, types.Array(types.uint64, 1, "C"), types.int64, _VECTOR, _VECTOR, _MATRIX, _MATRIX
)

# key, particle, group of four steps, stream, channels, words, out
NORMALS = types.void(
    types.uint64,
    types.uint64,
    types.uint64,
    types.uint64,
    types.int64,
    types.Array(types.uint32, 2, "C"),
    types.Array(types.float32, 3, "C"),
)


def _pointer(signature: Any, name: str) -> Any:
    function_type = types.FunctionType(signature)

    def typed(_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            proxy = cgutils.create_struct_proxy(function_type)(context, builder)
            proxy.jit_addr = builder.inttoptr(arguments[0], cgutils.voidptr_t)
            return proxy._getvalue()

        return function_type(types.uint64), generate

    typed.__name__ = name
    typed.__doc__ = f"Return the function of signature {signature} that starts at ``address``."
    return intrinsic(typed)


field_at = _pointer(FIELD, "field_at")
kick_at = _pointer(KICK, "kick_at")
normals_at = _pointer(NORMALS, "normals_at")
observer_at = _pointer(OBSERVER, "observer_at")
sample_at = _pointer(SAMPLE, "sample_at")
