"""The door to numba: options, signatures, generated modules and their cache on disk.

Generated modules are written to the user's cache directory (or to ``SGDPHYS_CACHE``; ``SGDPHYS_CACHE=off`` keeps
nothing beyond the process) under a name that is a hash of their source, of numba and of the processor, and are cached
there by numba.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["cache_directory", "compile_function", "fingerprint", "jit_address", "load_module"]

# _nrt=False: no reference counts, whose locked instructions would cost more than the step, so kernels do not allocate
_OPTIONS = "error_model='numpy', nogil=True, cache=True, _nrt=False"
_HEADER = """\
# Written by sgdphys; safe to delete.
import numpy as np
from numba import njit
from sgdphys.kernels.entries import array_of, entry_signature
from sgdphys.kernels.row_tiles import TILE_SIDE, turn_tile
from sgdphys.kernels.stack import STACK_LANES, stack_row
from sgdphys.kernels.vector_tiles import TILE_ROWS, add_lanes, add_tiles, tile_lanes
from sgdphys.kernels.pointers import FIELD, KICK, NORMALS, OBSERVER, SAMPLE
from sgdphys.kernels.pointers import field_at, kick_at, normals_at, observer_at, sample_at


def helper(*flags):
    return njit(fastmath=set(flags), error_model="numpy", nogil=True, _nrt=False, forceinline=True)


def compiled(signatures, fastmath, **options):
    return njit(signatures, fastmath=set(fastmath), **options)


"""
_UNSEEN = ("entries", "pointers", "row_tiles", "stack", "vector_tiles")  # code that no source text shows
_LOCK = threading.RLock()


@functools.cache
def cache_directory() -> Path:
    """Return the directory of the compiled kernels; created on first use.

    ``SGDPHYS_CACHE`` names another one; with the value ``off``, or where nothing can be written, a temporary one is
    used and removed at exit.

    Returns
    -------
    Path
        The directory; it exists.
    """
    chosen = os.environ.get("SGDPHYS_CACHE", "")
    if chosen.lower() != "off":
        directory = Path(chosen) if chosen else _default_directory()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if os.access(directory, os.W_OK):
                return directory
        except OSError:
            pass
    temporary = Path(tempfile.mkdtemp(prefix="sgdphys-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary


def _default_directory() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("sgdphys") / "kernels"


@functools.cache
def fingerprint() -> str:
    """Return a hash of the package's files that write kernel source; it enters the names of generated modules."""
    package = Path(__file__).parent.parent
    files = sorted([*package.glob("kernels/*.py"), *package.glob("formula*.py"), *package.glob("formula/*.py")])
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


@functools.cache
def _machine() -> str:
    import llvmlite.binding
    import numba

    texts = "".join(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8") for name in _UNSEEN)
    return f"{numba.__version__} {llvmlite.binding.get_host_cpu_name()} {sys.version_info[:2]} {texts}"


def load_module(key: str, write: Callable[[], str]) -> ModuleType:
    """Import the generated module of this key; write it first if the cache has none.

    Parameters
    ----------
    key
        Text that determines the source completely.
    write
        Returns the source below the common header; called only when the module is not in the cache.

    Returns
    -------
    ModuleType
        The imported module.
    """
    with _LOCK:
        return _load_module(key, write)


@functools.cache
def _loaded() -> dict[str, ModuleType]:
    warnings.filterwarnings("ignore", message="First-class function type feature is experimental")
    return {}


def _load_module(key: str, write: Callable[[], str]) -> ModuleType:
    name = "sgdphys_kernel_" + hashlib.blake2b(f"{key}\n{_machine()}".encode(), digest_size=16).hexdigest()
    if name in _loaded():
        return _loaded()[name]
    path = cache_directory() / f"{name}.py"
    if not path.exists():
        _write_atomically(path, _HEADER + write())
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    _loaded()[name] = module
    return module


def _write_atomically(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(temporary, path)


def compile_function(name: str, signature: str, flags: tuple[str, ...], key: str, write: Callable[[], str]) -> Any:
    """Return the compiled function ``name`` of a generated module.

    Parameters
    ----------
    name
        Name of the function.
    signature
        Expression for its numba signature, evaluated in the generated module.
    flags
        Fast-math flags of the function itself.
    key
        Text that determines the source completely.
    write
        Returns the source, the function last and undecorated; called only if the cache has no module for the key.

    Returns
    -------
    Any
        The compiled function.
    """
    options = f"fastmath={sorted(flags)!r}, {_OPTIONS}"

    def decorated() -> str:
        head, definition, tail = write().rpartition(f"def {name}(")
        return f"{head}@compiled([{signature}], {options})\n{definition}{tail}"

    return getattr(load_module(f"{name}|{signature}|{options}|{_HEADER}|{key}", decorated), name)


def jit_address(dispatcher: Any) -> int:
    """Return the machine address of the only overload of a compiled function."""
    (signature,) = dispatcher.nopython_signatures
    result = dispatcher.get_compile_result(signature)
    return int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))
