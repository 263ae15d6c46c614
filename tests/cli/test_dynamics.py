"""Noise and integrator on the command line."""

from __future__ import annotations

import json

import pytest
from asserts import assert_same_bits

import sgdphys as sp
from sgdphys.cli import main
from sgdphys.cli.parser import build_parser

RUN = ["simulate", "x**2/2", "--temperature", "0.2", "--dt", "0.02", "--n-steps", "50", "--n-particles", "100"]
MORE = ["--diffusion", "1 + x**2", "--interpretation", "stratonovich", "--integrator", "StochasticHeun"]


def test_the_run_is_that_of_simulate(tmp_path, capsys):
    assert main([*RUN, *MORE, "--store", str(tmp_path / "a.zarr"), "--no-progress"]) == 0
    assert "D = 1 + x**2; dt = 0.02" in capsys.readouterr().out
    cloud = sp.open(tmp_path / "a.zarr")
    noise = sp.noises.Formula("1 + x**2", interpretation="stratonovich")
    landscape, scheme = sp.landscapes.Expression("x**2/2"), sp.integrators.StochasticHeun()
    same = sp.simulate(
        landscape,
        noise,
        temperature=0.2,
        dt=0.02,
        n_steps=50,
        n_particles=100,
        start=0.0,
        save_at=11,
        integrator=scheme,
    )
    assert_same_bits(cloud["position"].values, same["position"].values)
    configuration = json.loads(cloud.attrs["configuration"])
    assert configuration["integrator"] == "StochasticHeun"
    assert configuration["noise"]["interpretation"] == "stratonovich"


def test_entries_and_parameters_of_the_diffusion(tmp_path, capsys):
    bowl = ["simulate", "k*(x**2 + y**2)/2", *RUN[2:], "--parameter", "k=1", "--parameter", "a=0.3", "--no-progress"]
    assert main([*bowl, "--diffusion", "1,a", "--store", str(tmp_path / "a.zarr")]) == 0
    assert main([*bowl, "--diffusion", "1,0;0,a", "--store", str(tmp_path / "b.zarr")]) == 0
    assert "D = 1,a; dt" in capsys.readouterr().out
    noises = [json.loads(sp.open(tmp_path / name).attrs["configuration"])["noise"] for name in ("a.zarr", "b.zarr")]
    assert [noise["diffusion"] for noise in noises] == [["1", "a"], [["1", "0"], ["0", "a"]]]
    assert noises[0]["parameters"] == {"a": 0.3}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--integrator", "RungeKutta"], "there is no integrator 'RungeKutta'; known are BAOAB, "),
        (["--integrator", "baoab"], "did you mean BAOAB?"),
        (["--integrator", "Underdamped"], "there is no integrator 'Underdamped'"),
        (["--integrator", "SRA1", "--diffusion", "1 + x**2"], "SRA1 needs noise of constant diffusion"),
        (["--interpretation", "stratonovich"], "give --diffusion too"),
        (["--diffusion", "1 + q"], "q"),
        (["--diffusion", "1", "--diffusion", "2"], "given twice"),
        (["--parameter", "q=1"], "does not use the parameter q"),
    ],
)
def test_refusals_are_one_line(flags, message, capsys):
    assert main([*RUN, *flags]) != 0
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "name", [name for name in sp.integrators.__all__ if hasattr(getattr(sp.integrators, name), "orders")]
)
def test_every_integrator_has_a_name_here(name):
    from sgdphys.cli.dynamics import integrator_of

    if name in {"BlockIntegrator", "Underdamped"}:
        return
    arguments = build_parser().parse_args([*RUN, "--integrator", name])
    assert type(integrator_of(arguments)).__name__ == name
