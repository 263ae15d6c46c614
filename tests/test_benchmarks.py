"""The benchmarks of networks run on their smallest cases; their numbers are no part of this."""

import importlib
import os
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parent.parent / "benchmarks"
pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the benchmarks are not there"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning"),  # of torch's own forward rules
]
IMAGES = pytest.mark.skipif("SGDPHYS_DATA" not in os.environ, reason="SGDPHYS_DATA does not name the image sets")
LIBRARIES = ("curvlinops", "opacus", "backpack")  # rivals warn of what is not ours; the scripts run without them
OWN = ("timing", "cases", "gradient_units", "network", "network_memory", "gpu", "networks")


@pytest.fixture
def load(monkeypatch):
    """Return the import of a script, with its folder in the path, and environment and threads as they were after."""
    before, threads = dict(os.environ), torch.get_num_threads()
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module
    os.environ.clear()
    os.environ.update(before)
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = True
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_candidate_of_the_noise_benchmark_gives_the_same_answer(load, capsys, dtype):
    load("network").main(["tiny", "--rounds", "1", "--samples", "16", "--dtype", dtype, "--without", *LIBRARIES])
    lines = capsys.readouterr().out.splitlines()
    ours = [line for line in lines if "| sgdphys" in line]
    assert {line.split(" | ")[0].strip("| ") for line in ours} == {
        "C v", "Hessian product", "Gauss-Newton product", "Gram matrix", "trace of C"
    }  # fmt: skip


def test_a_wrong_answer_ends_the_noise_benchmark(load):
    units, problems, candidates = map(load, ("gradient_units", "cases.network_problems", "cases.network_candidates"))
    setup = problems.Setup(problems.PROBLEMS["tiny"], 16, torch.float64)
    quantity = candidates.QUANTITIES[0]
    wrong = candidates.Candidate(quantity.name, "uncentred", lambda setup: lambda: uncentred(setup))

    def uncentred(setup):
        by_hand = load("cases.network_by_hand")
        return by_hand.times_jacobian(setup, by_hand.jacobian_times(setup, setup.v)) / setup.n_samples

    with pytest.raises(RuntimeError, match="C v by uncentred is wrong by"):
        list(units.checked(quantity, setup, [wrong]))


def test_the_gpu_benchmark_says_that_there_is_no_gpu_and_runs_on_the_processor(load, capsys, monkeypatch):
    script = load("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    script.main([])
    assert capsys.readouterr().out.startswith("no CUDA device is here: nothing is measured")
    monkeypatch.setattr(script, "SMALL", {"mlp": (4,)})
    monkeypatch.setattr(script, "SHORTEST", 0.0)
    monkeypatch.delenv("SGDPHYS_DATA", raising=False)
    script.main(["--device", "cpu", "--small", "--rounds", "1", "--only", "clouds"])
    said = capsys.readouterr().out
    assert "random data of MNIST's shape" in said
    assert said.count("| plain torch,") == 2


def test_planned_memory_of_the_smallest_case_is_measured(load, capsys, monkeypatch):
    script = load("network_memory")

    def here(name, quantity, samples, _dtype, largest):
        return script.measured(name, quantity, int(samples), torch.float32, float(largest))

    monkeypatch.setattr(script, "in_a_process", here)
    script.main(["tiny", "--scale", "0.01"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| MLP 16-8-10")]
    assert [line.split(" | ")[3] for line in lines] == ["matvec", "gram", "spectrum"]


@IMAGES
def test_the_measurements_of_real_networks_run_quickly(load, capsys, monkeypatch):
    load("networks").main(["--only", "mnist-mlp", "--quick"])
    said = capsys.readouterr().out
    assert said.count("| MLP 196-64-10, MNIST 14x14, smaller |") == 5  # two points in two tables, and the verdict
    assert "Chaudhari & Soatto" in said


def test_without_images_nothing_is_measured(load, capsys, monkeypatch):
    monkeypatch.delenv("SGDPHYS_DATA", raising=False)
    load("networks").main([])
    assert capsys.readouterr().out.startswith("SGDPHYS_DATA is not set")
