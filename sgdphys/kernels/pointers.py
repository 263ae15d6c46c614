"""Typed function pointers: block kernels are compiled apart and joined at run time by their addresses.

``field_at(address)`` turns an address into a function that compiled code can call; likewise ``kick_at`` and
``observer_at``.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["FIELD", "KICK", "NORMALS", "OBSERVER", "field_at", "kick_at", "normals_at", "observer_at"]

_MATRIX = types.Array(types.float64, 2, "C")
_VECTOR = types.Array(types.float64, 1, "C")
_NORMALS = types.Array(types.float32, 2, "C")

FIELD = types.void(_MATRIX, _VECTOR, types.float64, _MATRIX)  # x, parameters, factor, out: out += factor * field
KICK = types.void(
    _NORMALS, _MATRIX, _VECTOR, types.float64, _MATRIX, _MATRIX
)  # normals, x, parameters, factor, base, out
# before, after, lanes in use, first particle, step, row of the time table, key, parameters, memory
OBSERVER = types.void(
    _MATRIX, _MATRIX, types.int64, types.uint64, types.int64, types.int64, types.uint64, _VECTOR, _MATRIX
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
