"""Generated modules and their cache."""

import os
import subprocess
import sys

import numpy as np
import pytest

from sgdphys.kernels import compile as door

DOUBLE = "def double(x, out):\n    for i in range(len(x)):\n        out[i] = 2.0 * x[i]\n"
SIGNATURE = "'void(float64[::1], float64[::1])'"


@pytest.fixture
def fresh_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(door, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(door, "_loaded", lambda modules={}: modules)
    return tmp_path


def compile_double(text=DOUBLE):
    return door.compile_function("double", SIGNATURE, (), text, lambda: text)


def doubled(function):
    out = np.empty(3)
    function(np.array([1.0, 2.0, 3.0]), out)
    return out.tolist()


def test_a_module_is_written_once_and_named_by_its_text(fresh_cache):
    assert doubled(compile_double()) == [2.0, 4.0, 6.0]
    (module,) = fresh_cache.glob("*.py")
    before = module.stat().st_mtime_ns
    assert compile_double() is compile_double()
    assert module.stat().st_mtime_ns == before
    assert doubled(compile_double(DOUBLE.replace("2.0", "3.0"))) == [3.0, 6.0, 9.0]
    assert len(list(fresh_cache.glob("*.py"))) == 2
    assert not list(fresh_cache.glob("*.partial"))


def test_the_source_is_not_asked_for_where_the_module_is_there(fresh_cache):
    compile_double()
    door._loaded().clear()

    def refuse():
        raise AssertionError("the source was generated again")

    assert doubled(door.compile_function("double", SIGNATURE, (), DOUBLE, refuse)) == [2.0, 4.0, 6.0]


def test_the_address_is_that_of_the_machine_code(fresh_cache):
    address = door.jit_address(compile_double())
    assert 0 < address < 2**64
    assert address == door.jit_address(compile_double())


@pytest.mark.parametrize(("value", "used"), [("{path}/new/cache", True), ("off", False), ("/proc/none/cache", False)])
def test_the_cache_is_where_the_environment_says(tmp_path, value, used):
    code = "from sgdphys.kernels.compile import cache_directory; print(cache_directory(), cache_directory().is_dir())"
    chosen = value.format(path=tmp_path)
    environment = {**os.environ, "SGDPHYS_CACHE": chosen}
    output = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert output[1] == "True"
    assert (output[0] == chosen) == used
    assert used or not os.path.exists(output[0])  # a temporary directory is gone with its process


def test_the_fingerprint_is_stable_within_a_process():
    assert door.fingerprint() == door.fingerprint()
    assert len(door.fingerprint()) == 32
