"""Typed function pointers: block kernels are compiled apart and joined at run time by their addresses.

``field_at(address)`` turns an address into a function that compiled code can call; likewise for kicks,
normals, observers and samples.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import Signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from sgdphys.kernels.entries import call_entry

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


class KernelAddress(types.Callable):
    """The type of a kernel's address in compiled code: calling it calls the kernel."""

    def __init__(self, signature: Any) -> None:
        self.arguments = signature.args
        super().__init__(f"KernelAddress{signature}")

    def get_call_type(self, context: Any, arguments: Any, _keywords: Any) -> Any:
        """Return the signature of a call, or None where the arguments do not fit."""
        if len(arguments) != len(self.arguments):
            return None
        fits = all(context.can_convert(*pair) is not None for pair in zip(arguments, self.arguments, strict=True))
        return Signature(types.none, self.arguments, recvr=self) if fits else None

    def get_call_signatures(self) -> Any:
        """Return the only signature, for messages."""
        return [types.void(*self.arguments)], False

    def get_impl_key(self, _signature: Any) -> Any:
        """Return what the implementation below is registered for."""
        return KernelAddress


@register_model(KernelAddress)
class _AddressModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.IntType(64))


@lower_builtin(KernelAddress, KernelAddress, types.VarArg(types.Any))  # type: ignore[untyped-decorator]
def _call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    call_entry(context, builder, arguments[0], signature.args[1:], arguments[1:])
    return context.get_dummy_value()


def _pointer(signature: Any, name: str) -> Any:
    kind = KernelAddress(signature)

    def typed(_context: Any, _address: Any) -> Any:
        return kind(types.uint64), lambda _context, _builder, _signature, arguments: arguments[0]

    typed.__name__ = name
    typed.__doc__ = f"Return the kernel of signature {signature} that starts at ``address``."
    return intrinsic(typed)


field_at = _pointer(FIELD, "field_at")
kick_at = _pointer(KICK, "kick_at")
normals_at = _pointer(NORMALS, "normals_at")
observer_at = _pointer(OBSERVER, "observer_at")
sample_at = _pointer(SAMPLE, "sample_at")
