"""Kernels are plain Python; these fixtures give their compiled form."""

import re

import pytest

from sgdphys.kernels import compile as door
from sgdphys.kernels.source import fast_math_flags, source_text

PACKED = re.compile(r"\tv(?:fn?m(?:add|sub)\d+|add|sub|mul|div|sqrt)p[sd]\t.*%[yz]mm")


@pytest.fixture(scope="session")
def compiled():
    """Return a function that compiles a kernel for a numba signature, with the flags of its module."""

    def compile_it(function, signature):
        text = source_text(function)
        return door.compile_function(function.__name__, signature, fast_math_flags(function), text, lambda: text)

    return compile_it


@pytest.fixture
def packed_instructions(monkeypatch, tmp_path):
    """Return a function that counts the vector arithmetic in a kernel's machine code; skips where there is no AVX."""
    monkeypatch.setattr(door, "cache_directory", lambda: tmp_path)  # numba shows no code that comes from a cache

    def count(name, signature, flags, text):
        compiled = door.compile_function(name, signature, flags, f"{tmp_path}\n{text}", lambda: text)
        (assembly,) = compiled.inspect_asm().values()
        if "%xmm" not in assembly or "avx" not in _processor_features():
            pytest.skip("the machine has no AVX registers")
        return len(PACKED.findall(assembly))

    return count


def _processor_features():
    import llvmlite.binding

    return [feature for feature, there in llvmlite.binding.get_host_cpu_features().items() if there]
