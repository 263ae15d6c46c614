"""What the commands print and leave behind, in this process and in ones of their own that are stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys.cli import main
from sgdphys.cli.options import default_store
from sgdphys.store.commit import read_commit

FORMULA = "x**4/4 - x**2/2"
SWEEP = ["sweep", FORMULA, "--temperatures", "0.1:0.4:3", "--n-particles", "500", "--n-steps", "200", "--dt", "0.02"]
PROGRAM = [sys.executable, "-c", "import sys; from sgdphys.cli import main; sys.exit(main())"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_sweep_prints_a_table_and_keeps_a_store(capsys, tmp_path):
    assert main([*SWEEP, "--plot"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "start 1 (minimum found by descent from the origin); D = 1; dt = 0.02"
    assert lines[2].split() == ["T", "entropy", "exact", "E[f]", "exact", "F", "exact", "KL", "diverged"]
    assert [line.split()[0] for line in lines[3:6]] == ["0.1", "0.25", "0.4"]
    assert lines[3].split()[1] == "*"
    assert lines[6].startswith("* not stationary: KL or E[f] is more than 4 standard errors from exact")
    name = default_store("sweep", FORMULA).removesuffix(".zarr")
    assert lines[7:] == [f"store: {name}.zarr", f"picture: {name}.png"]
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    assert sp.open(f"{name}.zarr").sizes["temperature"] == 3


def test_the_same_sweep_again_says_what_is_there(capsys, monkeypatch):
    assert main([*SWEEP, "--store", "s.zarr"]) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr("sgdphys.sweeps.points.simulate", None)
    assert main([*SWEEP, "--store", "s.zarr"]) == 0
    again = capsys.readouterr().out
    assert again.splitlines()[:-1] == first.splitlines()[:-1]
    assert again.splitlines()[-1] == ("store: s.zarr (complete before, nothing was computed; --overwrite replaces it)")
    monkeypatch.undo()
    assert main([*SWEEP, "--store", "s.zarr", "--overwrite"]) == 0


def test_named_landscape_and_parameters(capsys):
    few = ["--n-particles", "50", "--n-steps", "20"]
    assert main(["sweep", "mueller-brown", "--temperatures", "20", *few]) == 0
    assert main(["sweep", "a*x**2", "--parameter", "a=2", "--temperatures", "0.1", *few]) == 0
    capsys.readouterr()
    assert sp.open("sweep-mueller-brown.zarr").sizes["coordinate"] == 2


def test_simulate_verify_and_plot(capsys, tmp_path):
    argv = ["simulate", "x**2/2", "--temperature", "0.2", "--dt", "0.1", "--n-steps", "100", "--n-particles", "20000"]
    assert main([*argv, "--start", "-1", "--store", "c.zarr"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows[0] == ["time", "mean", "x", "variance", "x", "diverged"]
    assert rows[1][:3] == ["0", "-1", "0"]
    value, error = rows[11][2].rstrip(")").split("(")
    z = (float(value) - 0.2 / (1 - 0.05)) / (float(error) * 10 ** -len(value.partition(".")[2]))
    assert abs(z) < 4
    assert main(["verify", "c.zarr"]) == 0
    assert "complete, 11 of 11 frames" in capsys.readouterr().out
    assert main(["plot", "c.zarr", "--output", "c.pdf"]) == 0
    assert (tmp_path / "c.pdf").stat().st_size > 1000


def test_plot_names_a_corrupt_chunk(capsys):
    assert main([*SWEEP, "--store", "s.zarr"]) == 0
    with open("s.zarr/entropy/c/1/0/0", "r+b") as chunk:
        chunk.write(b"nonsense")
    capsys.readouterr()
    assert main(["plot", "s.zarr"]) == 2
    error = capsys.readouterr().err
    assert error == "sgdphys: corrupt chunk entropy/c/1/0/0 in s.zarr; run sgdphys verify s.zarr\n"
    assert main([*SWEEP, "--store", "s.zarr"]) == 2
    assert capsys.readouterr().err == error


def test_a_loss_that_does_not_confine(capsys):
    few = ["--n-particles", "200", "--n-steps", "400", "--dt", "0.05"]
    assert main(["sweep", "-x**2/2", "--temperatures", "0.1", *few]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("start 0 (the origin: descent from there found no minimum)")
    assert "e+" in lines[3]
    assert max(map(len, lines)) < 120
    assert "not confining" in lines[4]


def test_program_and_module_are_the_same(capsys):
    done = subprocess.run([sys.executable, "-m", "sgdphys", "--version"], capture_output=True, text=True)
    assert done.stdout == f"sgdphys {sp.__version__}\n"


def test_verify_names_a_lost_chunk(capsys):
    assert main([*SWEEP, "--store", "s.zarr"]) == 0
    os.remove("s.zarr/entropy/c/1/0/0")
    capsys.readouterr()
    assert main(["verify", "s.zarr"]) == 1
    assert "missing entropy/c/1/0/0" in capsys.readouterr().out


def test_density(capsys, tmp_path):
    argv = ["density", FORMULA, "--temperature", "0.1"]
    assert main(argv) == 0
    stationary = capsys.readouterr().out.splitlines()[1].split()
    assert stationary[0] == "stationary"
    assert abs(float(stationary[4])) < 1e-9  # relative entropy of the Gibbs state to itself
    evolving = ["--times", "0,1,5,20", "--start", "-1", "--grid", "-2.5:2.5:200", "--store", "d.zarr"]
    assert main([*argv, *evolving]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "start -1 (as given)"
    rows = [line.split() for line in lines[1:]]
    free_energies = [float(row[3]) for row in rows[1:5]]
    assert free_energies == sorted(free_energies, reverse=True)
    assert main(["plot", "d.zarr"]) == 0
    assert (tmp_path / "d.png").exists()


def test_info(capsys):
    assert main(["info"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["numpy"] == np.__version__
    assert {"sgdphys", "python", "torch", "threads", "gpu", "cache"} <= set(rows)


def test_help_and_version(capsys):
    assert main(["--help"]) == 0
    assert main(["sweep", "--help"]) == 0
    assert "`" not in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert f"sgdphys {sp.__version__}" in capsys.readouterr().out


LONG = ["sweep", FORMULA, "--temperatures", "0.1:0.6:6", "--n-particles", "20000", "--n-steps", "4000", "--dt", "0.02"]
LONG += ["--store", "s.zarr", "--no-progress"]
SECOND_POINT_WITHOUT_END = """
import sys
from sgdphys.cli import main
from sgdphys.cli.options import default_store
from sgdphys.sweeps import points

simulate, calls = points.simulate, []

def one_point_then_for_ever(*arguments, **options):
    calls.append(None)
    while len(calls) > 1:
        simulate(*arguments, **options)
    return simulate(*arguments, **options)

points.simulate = one_point_then_for_ever
sys.exit(main())
"""  # the engine is at work when the signal comes, on a machine of any speed
HANG = 300  # seconds after which a process counts as stuck, not as slow


def _start_and_wait_for_a_point():
    program = [sys.executable, "-c", SECOND_POINT_WITHOUT_END, *LONG]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + HANG
    while not (os.path.exists("s.zarr") and read_commit(Path("s.zarr")).finished.any()):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process


def _uninterrupted():
    return sp.sweep(
        sp.landscapes.Expression(FORMULA), temperatures=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], dt=0.02, n_steps=4000,
        n_particles=20_000, start=1.0,
    )  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_sweep_goes_on(stop, capsys):
    process = _start_and_wait_for_a_point()
    process.send_signal(stop)
    _, error = process.communicate(timeout=HANG)
    assert read_commit(Path("s.zarr")).finished.sum() == 1
    if stop == signal.SIGINT:
        assert process.returncode == 130
        assert error == "sgdphys: interrupted; a store keeps what was committed, --resume goes on with it\n"
    assert main(LONG) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*LONG, "--resume"]) == 0
    xr.testing.assert_identical(sp.open("s.zarr").load(), _uninterrupted())


def test_a_refusal_in_a_process_of_its_own():
    done = subprocess.run([*PROGRAM, "sweep", "__import__('os')"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("sgdphys: ")


def test_a_reader_that_goes_away_is_no_fault():
    done = subprocess.run(
        f'"{sys.executable}" -c "import sys; from sgdphys.cli import main; sys.exit(main())" info | head -c 1',
        shell=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""
