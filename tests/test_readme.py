"""The README's Python runs, its commands exist, and its two commands say what CI runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_python_example_runs_and_is_short() -> None:
    block = BLOCKS[0]
    assert sum(bool(line.strip()) for line in block.splitlines()) <= 12
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    comparison = names["sp"].analysis.compare(names["real"], names["sim"])  # type: ignore[attr-defined]
    # real networks spread as their twin does, 8 % more at this temperature; a factor 2 in T would give 2
    assert abs(float(comparison.mean_variance_ratio) - 1) < 0.25
    relative = names["sp"].analysis.relative_entropy(names["cloud"], names["gibbs"])  # type: ignore[attr-defined]
    assert np.all(np.isfinite(relative.relative_entropy[1:]))


def test_real_sgd_its_equation_and_the_exact_covariance() -> None:
    block = BLOCKS[1]
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    real, equation, exact = names["real"], names["equation"], names["exact"]
    assert abs(real.covariance.item() / exact.stationary_covariance.item() - 1) < 0.03  # type: ignore[attr-defined]
    assert abs(equation.position.var().item() / 0.0288 - 1) < 0.03  # type: ignore[attr-defined]
    assert real.histogram_count.sum() > 0.99 * real.first_passage_time.size  # type: ignore[attr-defined]


def test_densities_currents_and_predictions() -> None:
    block = BLOCKS[2]
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    state, measured, distance = names["state"], names["measured"], names["distance"]
    exact = 0.681382 * 1.5**2
    assert abs(state.entropy_production_rate.item() - exact) < 0.005  # type: ignore[attr-defined]
    bound = measured.entropy_production_rate.item()  # type: ignore[attr-defined]
    assert 0.8 * exact < bound < 1.02 * exact
    assert abs(distance.total_variation_z.item()) < 4  # type: ignore[attr-defined]
    assert abs(names["rates"].relaxation_rate.values[1] - 0.04769) < 1e-4  # type: ignore[attr-defined]


def test_noise_curvature_verdict_and_recording_of_a_network(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # where the example keeps its store
    names: dict[str, object] = {}
    exec(compile(BLOCKS[3], "README.md", "exec"), names)
    assert names["verdict"].attrs["verdict"].startswith("Langevin at T = 0.000781")  # type: ignore[attr-defined]
    assert names["recorder"].steps == 100  # type: ignore[attr-defined]
    assert names["cloud"].sketch.sizes["bucket"] == 256  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line", [line.split("#")[0].strip() for line in README.splitlines() if line.startswith("sgdphys ")]
)
def test_command_lines_parse(line: str) -> None:
    import shlex

    from sgdphys.cli.parser import build_parser

    arguments = build_parser().parse_args(shlex.split(line)[1:])
    assert callable(arguments.run)


def test_ci_calls_the_test_command() -> None:
    assert README.count("<!-- test command -->") == 1
    assert "test command" in (ROOT / ".ci" / "run").read_text()
