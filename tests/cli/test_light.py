"""Nothing heavy is loaded before it is used, and help answers at once."""

import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "matplotlib", "numba", "zarr", "xarray", "scipy", "sympy")
RUN = "import sys; from sgdphys.cli import main; code = main(sys.argv[1:]); "


def _modules_after(code, *argv):
    show = "print(); print('MODULES', *sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", f"import sys; {code}; {show}", *argv], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_import_is_light():
    assert not _modules_after("import sgdphys").intersection(("torch", "matplotlib", "numba", "zarr"))


@pytest.mark.parametrize("argv", [["--help"], ["sweep", "--help"], ["--version"]])
def test_help_is_light(argv):
    assert not _modules_after("from sgdphys.cli import main; main(sys.argv[1:])", *argv).intersection((*HEAVY, "numpy"))


def test_a_formula_sweep_needs_neither_torch_nor_matplotlib():
    names = ["sgdphys.cli.sweep", "sgdphys.sweeps.landscape_sweeps", "sgdphys.store", "sgdphys.simulation"]
    loaded = _modules_after(f"import {', '.join(names)}")
    assert not loaded.intersection(("torch", "matplotlib"))


def test_help_is_quick():
    """Processor time, which a busy machine hardly changes: 0.04-0.1 s."""
    took = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-c", RUN + "sys.exit(code)", "--help"], check=True, capture_output=True)
        after = os.times()
        took.append(after.children_user + after.children_system - before.children_user - before.children_system)
    print(f"sgdphys --help: {min(took):.3f} s")
    assert min(took) < 1.0
