"""Block kernels and their sums: what landscapes, noises and observers hand to the engine."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from sgdphys.kernels.compile import compile_function, fingerprint, jit_address
from sgdphys.kernels.source import FAST_MATH, fast_math_flags, helpers_text, source_text
from sgdphys.protocols import Term

__all__ = [
    "PROGRAM", "BlockTerm", "FieldKernel", "Kernel", "KickKernel", "NormalsKernel", "ObserverKernel", "Program",
    "SampleKernel", "pack",
]  # fmt: skip

Array = NDArray[np.float64]
PROGRAM = "Tuple((uint64[::1], float64[::1], int64[::1], float64[::1]))"  # numba type of a packed Program


class Kernel:
    """A block function that is compiled, or loaded from the cache, when its address is first asked for.

    Parameters
    ----------
    function
        A plain function of the kernel's signature.
    bindings
        Functions that stand in for global names of it.
    """

    signature: ClassVar[str] = ""

    def __init__(self, function: Callable[..., Any], bindings: Mapping[str, Callable[..., Any]] | None = None) -> None:
        self.name = function.__name__
        self._load: Callable[[bool], Any] = functools.partial(_compile_plain, function, bindings, self.signature)

    @classmethod
    def _of(cls, load: Callable[[bool], Any], name: str) -> Self:
        kernel = cls.__new__(cls)
        kernel.name = name
        kernel._load = load
        return kernel

    @functools.cached_property
    def compiled(self) -> Any:
        """The compiled function, callable from Python on arrays of the exact types."""
        return self._load(False)

    @functools.cached_property
    def address(self) -> int:
        """Machine address of the function's entry, see ``kernels.entries``."""
        return jit_address(self._load(True))

    @classmethod
    def from_source(
        cls, name: str, key: str, write: Callable[[], str], uses: Iterable[Callable[..., Any]] = ()
    ) -> Self:
        """Make a kernel of generated text.

        Parameters
        ----------
        name
            Name of the function in the text.
        key
            Text that determines the source; with the fingerprint of the package it names the cached module.
        write
            Returns the source, the function last; called only if the cache has no module for the key.
        uses
            Functions of the package that the text calls by name, besides those of ``vector_math``.

        Returns
        -------
        Kernel
            The kernel; nothing is compiled yet.
        """

        def load(entry: bool) -> Any:
            full_key = f"{key}|{fingerprint()}"
            return _compile(name, cls.signature, FAST_MATH, full_key, lambda: _with_helpers(write(), uses), entry)

        return cls._of(load, name)

    @classmethod
    def in_process(cls, function: Callable[..., Any]) -> Self:
        """Make a kernel of a user's plain or njit function of this signature; compiled once in each process."""

        def load(entry: bool) -> Any:
            from numba import njit

            from sgdphys.kernels import entries, pointers

            options: dict[str, Any] = {"fastmath": set(FAST_MATH), "error_model": "numpy", "nogil": True}
            plain, signature = getattr(function, "py_func", function), getattr(pointers, cls.signature)
            if not entry:
                return njit([signature], **options)(plain)
            names = {"array_of": entries.array_of, "kernel": njit(forceinline=True, **options)(plain)}
            exec(entries.entry_text("kernel", signature), names)
            return njit([entries.entry_signature(signature)], **options)(names["kernel_entry"])

        return cls._of(load, getattr(function, "__name__", "kernel"))


def _compile_plain(
    function: Callable[..., Any], bindings: Mapping[str, Callable[..., Any]] | None, signature: str, entry: bool
) -> Any:
    text = source_text(function, bindings)
    return _compile(function.__name__, signature, fast_math_flags(function), text, lambda: text, entry)


def _compile(name: str, signature: str, flags: tuple[str, ...], key: str, write: Callable[[], str], entry: bool) -> Any:
    """Return a kernel as a function of arrays, or its entry."""
    if not entry:
        return compile_function(name, signature, flags, key, write)

    def with_entry() -> str:
        from sgdphys.kernels import entries, pointers

        head, definition, tail = write().rpartition(f"def {name}(")
        text = entries.entry_text(name, getattr(pointers, signature))
        return f"{head}@helper({', '.join(map(repr, flags))})\n{definition}{tail}\n\n{text}"

    return compile_function(f"{name}_entry", f"entry_signature({signature})", flags, key, with_entry)


def _with_helpers(text: str, uses: Iterable[Callable[..., Any]]) -> str:
    from sgdphys.kernels import vector_math

    called = [getattr(vector_math, name) for name in vector_math.__all__ if f"{name}(" in text]
    return f"{helpers_text([*called, *uses])}\n\n{text}"


class FieldKernel(Kernel):
    """``field(x, parameters, factor, out)``: adds ``factor * field(x)`` to ``out``, both (row, lane)."""

    signature = "FIELD"


class KickKernel(Kernel):
    """``kick(normals, x, parameters, factor, work, base, out)``: writes ``base + factor * B(x) xi`` to ``out``."""

    signature = "KICK"


class SampleKernel(Kernel):
    """``add(x, parameters, indices, weights, work, out)``: adds the gradients of samples; ``indices`` one a lane."""

    signature = "SAMPLE"


class NormalsKernel(Kernel):
    """``fill(key, particle, quad, stream, channels, words, out)``: see ``sgdphys.kernels.normals.fill_normals``."""

    signature = "NORMALS"


class ObserverKernel(Kernel):
    """``observe(before, after, lanes, place, row, settings, parameters, own, table)``: see ``sgdphys.observers``."""

    signature = "OBSERVER"


@dataclass(frozen=True)
class BlockTerm:
    """One summand of a field: ``factor`` times a kernel at ``parameters`` (flat float64)."""

    kernel: Kernel
    parameters: Array = field(default_factory=lambda: np.zeros(0))
    factor: float = 1.0

    def scaled(self, factor: float) -> BlockTerm:
        """Return the term times a number."""
        return BlockTerm(self.kernel, self.parameters, self.factor * factor)


class Program(NamedTuple):
    """Terms laid out for compiled code: term k has parameters ``parameters[offsets[k]:offsets[k + 1]]``."""

    addresses: NDArray[np.uint64]
    factors: Array
    offsets: NDArray[np.int64]
    parameters: Array


def pack(terms: Iterable[Term]) -> Program:
    """Lay out terms for compiled code; compiles what has not been compiled."""
    listed = list(terms)
    arrays = [np.ascontiguousarray(term.parameters, dtype=np.float64).ravel() for term in listed]
    return Program(
        np.array([term.kernel.address for term in listed], dtype=np.uint64),
        np.array([term.factor for term in listed], dtype=np.float64),
        np.cumsum([0, *map(len, arrays)], dtype=np.int64),
        np.concatenate([*arrays, np.zeros(0)]),
    )
