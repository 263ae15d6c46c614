"""sgdphys measure: which network it finds, what it prints and leaves behind."""

import subprocess
import sys

import pytest

import sgdphys as sp
from sgdphys.cli import main
from sgdphys.cli.measure import network_of

MINE = """
import numpy as np, torch
from sgdphys.network import Network

def half_square(output, target):
    return 0.5 * (output[:, 0] - target) ** 2

def make():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2))
    return Network(torch.nn.Linear(2, 1, bias=False), half_square, (x, x[:, 0] + rng.normal(size=30))).minimum()

class Shelf:
    net = make()

def number():
    return 3

def broken():
    raise RuntimeError("no data here")

def leaves():
    raise SystemExit(7)
"""
FEW = ["--lr", "0.1", "--batch-size", "4", "--n-replicas", "40", "--no-progress"]


@pytest.fixture(autouse=True)
def in_a_folder_with_a_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    (tmp_path / "shelf_of_networks.py").write_text(MINE)
    (tmp_path / "fails.py").write_text("1 / 0")
    (tmp_path / "wants.py").write_text("import no_such_package_at_all")
    yield
    for name in ("shelf_of_networks", "fails", "wants"):
        sys.modules.pop(name, None)


def test_it_prints_the_table_and_keeps_store_and_picture(capsys, tmp_path):
    argv = ["measure", "shelf_of_networks.py:make", *FEW, "--svag", "1,2", "--store", "v.zarr", "--output", "v.png"]
    assert main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Network(Linear, d=2, N=30")
    assert lines[1].split() == ["quantity", "value", "+-", "expected", "judgement"]
    assert lines[-3].startswith("verdict: ")
    assert lines[-2:] == ["store: v.zarr", "picture: v.png"]
    assert (tmp_path / "v.png").stat().st_size > 20_000
    stored = sp.open("v.zarr")
    assert lines[-3] == f"verdict: {stored.attrs['verdict']}"
    assert float(stored.sel(row="temperature")["row_value"]) == 0.1 / 8
    assert main(argv) == 2
    assert "v.zarr is there already; --overwrite replaces it" in capsys.readouterr().err
    assert main(["plot", "v.zarr", "--output", "again.png"]) == 0


@pytest.mark.parametrize(
    "text", ["shelf_of_networks:make", "shelf_of_networks:Shelf.net", "./shelf_of_networks.py:make"]
)
def test_modules_files_and_attributes(text):
    assert network_of(text).dim == 2


def test_the_bundled_example_is_at_its_minimum():
    example = network_of("digits")
    assert example.dim == 910
    assert example.residual_gradient_norm < 1e-6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "'nothing' must be MODULE:FACTORY, such as my.py:make, or digits"),
        ("no_such_module:make", "there is no module 'no_such_module' here; a file ends in .py, as my.py:make"),
        ("no_such.py:make", "there is no file 'no_such.py'"),
        (
            "shelf_of_networks.py:mak",
            "shelf_of_networks.py has no 'mak'; it has Shelf, broken, half_square, leaves, make, number",
        ),
        (
            "shelf_of_networks.py:number",
            "shelf_of_networks.py:number does not give an sgdphys Network, but int; it has to return "
            "sgdphys.Network(model, loss, data)",
        ),
        ("shelf_of_networks.py:broken", "shelf_of_networks.py:broken() fails: RuntimeError: no data here"),
        ("shelf_of_networks.py:leaves", "shelf_of_networks.py:leaves() fails: SystemExit: 7"),
        ("fails.py:make", "fails.py fails: ZeroDivisionError: division by zero"),
        ("fails:make", "fails fails on import: ZeroDivisionError: division by zero"),
        ("wants:make", "wants needs the module 'no_such_package_at_all', which is not installed"),
    ],
)
def test_refusals_in_one_line(text, message, capsys):
    assert main(["measure", text, *FEW]) == 2
    assert capsys.readouterr().err == f"sgdphys: {message}\n"


def test_settings_are_checked_before_the_network_is_made(capsys):
    assert main(["measure", "no_such.py:make", "--lr", "-1", "--batch-size", "4"]) == 2
    assert "lr must be positive" in capsys.readouterr().err
    assert main(["measure", "no_such.py:make", *FEW, "--output", "v.txt"]) == 2
    assert "must end in" in capsys.readouterr().err


def test_a_store_that_cannot_be_is_refused_before_anything_is_computed(capsys, tmp_path):
    assert main(["measure", "no_such.py:make", *FEW, "--store", "nowhere/v.zarr"]) == 2
    assert "of the store does not exist; make it first" in capsys.readouterr().err
    (tmp_path / "mine.zarr").write_text("my own")
    assert main(["measure", "no_such.py:make", *FEW, "--store", "mine.zarr", "--overwrite"]) == 2
    assert "mine.zarr is not a sgdphys store" in capsys.readouterr().err
    assert (tmp_path / "mine.zarr").read_text() == "my own"


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from sgdphys.cli import main; main(['measure', '--help']); "
        "print('HEAVY', *{'torch', 'numpy', 'matplotlib', 'xarray'}.intersection(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--batch-size" in done.stdout
    assert done.stdout.splitlines()[-1].strip() == "HEAVY"
