"""Every refusal of the command line: exit code 2, one line on stderr, no traceback."""

import json

import numpy as np
import pytest
import xarray as xr

from sgdphys.cli import main
from sgdphys.store import save_dataset

SWEEP = ["sweep", "x**4/4 - x**2/2", "--n-particles", "100", "--n-steps", "50", "--dt", "0.01"]
SIMULATE = ["simulate", "x**2/2", "--n-particles", "100", "--n-steps", "50", "--dt", "0.01"]
DENSITY = ["density", "x**2/2", "--temperature", "0.1"]
WARM = ["--temperatures", "0.1"]

REFUSALS = {
    "unknown name": (["sweep", "double-wel", *WARM], "did you mean double-well"),
    "import": (["sweep", "__import__('os').system('echo no')", *WARM], "sgdphys: "),
    "attribute": (["sweep", "x.real", *WARM], "sgdphys: "),
    "parameter without a value": (["sweep", "a*x**2", *WARM], "a"),
    "parameter that is no name": ([*SWEEP, *WARM, "--parameter", "h"], "'h' is not name=value"),
    "parameter of a named landscape": (["sweep", "mueller-brown", *WARM, "--parameter", "h=1"], "h; it takes none"),
    "unknown parameter": (["sweep", "double-well", *WARM, "--parameter", "h=1"], "it takes barrier, distance"),
    "a word": (["sweep", "nosuch", *WARM], "'nosuch' is neither a named landscape (double-well, mueller-brown,"),
    "a network to simulate": (["simulate", "digits", "--temperature", "1"], "a network, which only sweep takes"),
    "resume and overwrite": ([*SWEEP, *WARM, "--resume", "--overwrite"], "--overwrite: not allowed with"),
    "three coordinates": (["simulate", "mueller-brown", "--temperature", "1", "--start", "0,0,0"], "(x, y), got 0,0,0"),
    "nan start, no dt": (["simulate", "x**2", "--temperature", "1", "--start", "nan"], "start must be finite, got nan"),
    "a slope, no dt": (["sweep", "x", *WARM], "does not rise on all sides and has curvature 0"),
    "a hill, no dt": (["sweep", "-x**4/4", *WARM], "give dt= (--dt)"),
    "no temperatures": (SWEEP, "give --temperatures"),
    "negative temperature": ([*SWEEP, "--temperatures", "-0.1"], "temperature must be positive and finite, got -0.1"),
    "zero temperature": ([*SWEEP, "--temperatures", "0"], "temperature must be positive"),
    "nan temperature": ([*SWEEP, "--temperatures", "0.1,nan"], "temperature must be positive and finite, got nan"),
    "a temperature twice": ([*SWEEP, "--temperatures", "0.1,0.1"], "each value once"),
    "negative temperature, no dt": (["sweep", "x**2", "--temperatures", "-1"], "temperature must be positive and fin"),
    "bad list": ([*SWEEP, "--temperatures", "0.1:0.4"], "neither start:stop:count nor a comma list"),
    "bad number": ([*SWEEP, "--temperatures", "warm"], "'warm' is not a number"),
    "nan start": ([*SWEEP, *WARM, "--start", "nan"], "start must be finite, got nan"),
    "start of another dimension": ([*SWEEP, *WARM, "--start", "0,1"], "start must be"),
    "negative dt": (["sweep", "x**2", *WARM, "--dt", "-0.1"], "dt must be positive and finite"),
    "both lengths": ([*SWEEP, *WARM, "--t1", "1"], "exactly one of t1="),
    "t1 no multiple": (["simulate", "x**2", "--temperature", "1", "--dt", "0.3", "--t1", "1"], "nearest are"),
    "too few particles": ([*SWEEP[:3], "3", *SWEEP[4:], *WARM], "at least 10, got 3"),
    "half a particle": ([*SWEEP[:3], "10.5", *SWEEP[4:], *WARM], "'10.5' is not a whole number"),
    "both seeds": ([*SWEEP, *WARM, "--seed", "1", "--seeds", "1,2"], "--seed or --seeds"),
    "lr of a formula": ([*SWEEP, *WARM, "--lr", "0.1"], "--lr belongs to the sweep of a network"),
    "temperatures of a network": (["sweep", "digits", *WARM], "--temperatures belongs to the sweep of a formula"),
    "batch larger than the data": (["sweep", "digits", "--batch-size", "1201"], "batch_size must not exceed n_samples"),
    "steps of a network": (["sweep", "digits", "--n-steps", "100"], "--n-steps belongs to the sweep of a formula"),
    "unknown device": (["sweep", "digits", "--device", "abacus"], "device 'abacus' cannot be used"),
    "one frame": (["sweep", "digits", "--save-at", "1"], "n_frames must be a whole number of at least 3"),
    "negative lr": (["sweep", "digits", "--lr", "-0.1"], "lr must be positive and finite"),
    "too few replicas": (["sweep", "digits", "--n-replicas", "10"], "n_replicas must be at least"),
    "missing folder": ([*SWEEP, *WARM, "--store", "nowhere/sweep.zarr"], "does not exist; make it first"),
    "negative temperature of a cloud": ([*SIMULATE, "--temperature", "-1"], "temperature must be finite and not neg"),
    "no temperature of a cloud": (SIMULATE, "--temperature"),
    "flat landscape": (["simulate", "0*x", "--temperature", "1"], "give dt="),
    "empty grid": ([*DENSITY, "--grid", "3:-3:100"], "low < high"),
    "grid without cells": ([*DENSITY, "--grid", "-3:3:0"], "cells, 2 or more, got 0"),
    "grid of another dimension": ([*DENSITY, "--grid", "-3:3:50,-3:3:50"], "axes"),
    "half a grid": ([*DENSITY, "--grid", "-3:3"], "is not low:high:cells"),
    "open landscape": (["density", "x**3", "--temperature", "0.1"], "rises on all sides"),
    "start without times": ([*DENSITY, "--start", "1"], "--start needs --times"),
    "nan temperature of a density": (["density", "x**2", "--temperature", "nan"], "temperature must be positive"),
    "missing store to plot": (["plot", "missing.zarr"], "there is no store at missing.zarr"),
    "missing store to verify": (["verify", "missing.zarr"], "there is no store at missing.zarr"),
    "no store": (["plot", "."], "is not a sgdphys store"),
    "unknown command": (["swep", "x"], "invalid choice"),
    "unknown flag": (["info", "--colour"], "unrecognized arguments"),
    "no command": ([], "required"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv, message = REFUSALS[name]
    code = main(argv)
    output = capsys.readouterr()
    assert code == 2, output.err
    assert message in output.err
    assert output.err.startswith("sgdphys: ")
    assert output.err.count("\n") == 1
    assert "Traceback" not in output.err
    assert output.out == ""
    assert list(tmp_path.iterdir()) == [], "a refusal leaves nothing behind"


@pytest.fixture
def stored_density(tmp_path):
    density = xr.Dataset(
        {"density": (("time", "x"), np.ones((1, 3)))},
        {"time": [0.0], "x": [0.0, 1.0, 2.0]},
        {"sgdphys_format": 1, "configuration": "{}", "rng_version": 1},
    )
    save_dataset(tmp_path / "there.zarr", density)
    return tmp_path / "there.zarr"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([*SWEEP, *WARM], "holds another run"),
        ([*SWEEP, *WARM, "--resume"], "holds another run"),
        ([*SIMULATE, "--temperature", "1"], "exists already"),
        (DENSITY, "exists already"),
    ],
)
def test_a_store_that_exists_is_not_overwritten(argv, message, stored_density, capsys):
    assert main([*argv, "--store", str(stored_density)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "--overwrite" in error
    assert error.count("\n") == 1
    assert main(["verify", str(stored_density)]) == 0


def test_a_folder_that_is_no_store_is_never_overwritten(tmp_path, capsys):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("precious")
    assert main([*SWEEP, *WARM, "--overwrite", "--store", str(tmp_path / "thesis")]) == 2
    assert "is not a sgdphys store; it is left as it is" in capsys.readouterr().err
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "precious"


@pytest.mark.parametrize("command", [["plot"], ["verify"], [*SWEEP, *WARM, "--store"]])
def test_a_store_of_a_newer_format(command, stored_density, capsys):
    metadata = json.loads((stored_density / "zarr.json").read_text())
    metadata["attributes"]["sgdphys_format"] = 2
    (stored_density / "zarr.json").write_text(json.dumps(metadata))
    assert main([*command, str(stored_density)]) == 2
    assert "format 2, newer than 1" in capsys.readouterr().err


def test_an_unknown_picture_format(stored_density, capsys):
    assert main(["plot", str(stored_density), "--output", "picture.docx"]) == 2
    assert capsys.readouterr().err == "sgdphys: the picture 'picture.docx' must end in .png, .pdf or .svg\n"
    assert main(["plot", str(stored_density), "--output", "nowhere/x.png"]) == 2
    assert "folder 'nowhere' of the picture does not exist" in capsys.readouterr().err


def test_a_fault_of_sgdphys_is_one_line_too(monkeypatch, capsys, stored_density):
    def broken(*_, **__):
        raise TypeError("first line\nsecond line")

    monkeypatch.setattr("sgdphys.store.verify", broken)
    assert main(["verify", str(stored_density)]) == 1
    error = capsys.readouterr().err
    assert error == "sgdphys: unexpected TypeError: first line (SGDPHYS_TRACEBACK=1 shows where)\n"
