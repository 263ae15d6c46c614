"""A noise, an integrator and an observer from outside the package: the lines of CONTRIBUTING.md, and their physics."""

from __future__ import annotations

import importlib.util
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from asserts import assert_excluded, assert_same_bits, assert_within

import sgdphys as sp
from sgdphys.testing import check_integrator, check_noise

GUIDE = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
PARTS = {"noise": "Growing", "integrator": "DriftKickDrift", "observer": "TimeAbove"}
LINES = {name: rf"<!-- {name} -->\n```python\n(.*?)```" for name in ("noise check", "integrator check", "run")}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Each part as a user has it, in a file of its own."""
    folder, found = tmp_path_factory.mktemp("outside"), {}
    for kind, name in PARTS.items():
        section = GUIDE.split(f"## Adding a{'n' * (kind[0] in 'aeio')} {kind}\n")[1].split("\n## ")[0]
        file = folder / f"outside_{kind}.py"
        file.write_text(re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)[0])
        specification = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(specification)
        sys.modules[file.stem] = module
        specification.loader.exec_module(module)
        found[name] = getattr(module, name)
    yield found
    for kind in PARTS:
        del sys.modules[f"outside_{kind}"]


def run_lines(parts, name):
    """Run a marked block of the guide with the three parts and NumPy at hand."""
    (text,) = re.findall(LINES[name], GUIDE, flags=re.DOTALL)
    names = {**parts, "np": np}
    exec(compile(text, "CONTRIBUTING.md", "exec"), names)
    return names


def test_checks_of_the_guide_pass(parts, capsys):
    run_lines(parts, "noise check")
    fits = run_lines(parts, "integrator check")["fits"]
    assert fits["strong_additive"].order == pytest.approx(1, abs=0.1)
    assert fits["weak_additive"].order == pytest.approx(2, abs=0.15)
    assert "order" in capsys.readouterr().out


def test_the_run_of_the_guide_has_the_right_physics(parts, capsys):
    """Variances are those of the chains: of Growing it solves m = (1 - u)^2 m + 2 T dt (a + b m), of the splitting
    m = r^4 m + 2 T dt r^2 with r = 1 - u/2 + u^2/8; T/2 is excluded. Times above .5 follow from the normal law."""
    names, n, u = run_lines(parts, "run"), 100_000, 0.1
    kick = 2 * 0.2 * 0.1
    grown = kick / (1 - (1 - u) ** 2 - 2 * kick)
    square = names["wide"].position.values[0, :, 0] ** 2
    assert_within(square.mean(), grown, square.std() / math.sqrt(n))
    assert_excluded(square.mean(), kick / (1 - (1 - u) ** 2), square.std() / math.sqrt(n))
    r = 1 - u / 2 + u**2 / 8
    split = kick * r**2 / (1 - r**4)
    variance = float(names["plain"].position.var())
    assert_within(variance, split, split * math.sqrt(2 / n))
    assert_excluded(variance, split / 2, split * math.sqrt(2 / n))
    powers = r ** (4 * np.arange(1, 201))
    above = 0.1 * sum(0.5 * math.erfc(0.5 / math.sqrt(2 * split * (1 - power))) for power in powers)
    times = names["plain"].time_above.values
    assert_within(times.mean(), above, times.std() / math.sqrt(n))
    assert_excluded(float(names["wide"].time_above.mean()), above, times.std() / math.sqrt(n))
    assert names["wide"].time_above.attrs["long_name"] == "time above"
    assert len(capsys.readouterr().out.split()) == 4


def test_readings_of_an_outside_noise(parts):
    """E x^2 of the exact chain, whose drift is -(1 - 2 a T b) x with a = 0, 1/2, 1."""
    n, dt, temperature, a, b = 100_000, 0.05, 0.2, 1.0, 1.0
    for reading, multiple in (("ito", 0.0), ("stratonovich", 0.5), ("hanggi-klimontovich", 1.0)):
        cloud = sp.simulate(
            sp.landscapes.Quadratic(1.0), parts["Growing"](a, b, reading), temperature=temperature, dt=dt, t1=15.0,
            n_particles=n, start=0.0, save_at=1,
        )  # fmt: skip
        square = cloud.position.values[0, :, 0] ** 2
        shrink = 1 - dt * (1 - 2 * multiple * temperature * b)
        exact = 2 * temperature * dt * a / (1 - shrink**2 - 2 * temperature * dt * b)
        assert_within(square.mean(), exact, square.std() / math.sqrt(n))


def test_bits_do_not_depend_on_threads_and_blocks(parts):
    options = {"temperature": 0.2, "dt": 0.1, "n_steps": 30, "start": 0.3, "observers": [parts["TimeAbove"](0.5)]}
    for noise, integrator in ((parts["Growing"](), None), (sp.noises.Isotropic(1.0), parts["DriftKickDrift"]())):
        well = sp.landscapes.DoubleWell()
        one = sp.simulate(well, noise, integrator=integrator, **options, n_particles=300, threads=1, block_size=256)
        two = sp.simulate(well, noise, integrator=integrator, **options, n_particles=700, threads=2, block_size=64)
        for name in ("position", "time_above"):
            kept = two[name].isel(particle=slice(300))
            assert_same_bits(one[name].values, kept.values)


def test_mismatches_are_refused_by_name(parts):
    with pytest.raises(ValueError, match=r"DriftKickDrift.*Growing"):
        sp.simulate(
            sp.landscapes.DoubleWell(), parts["Growing"](), temperature=0.1, dt=0.1, t1=1.0, n_particles=10,
            integrator=parts["DriftKickDrift"](),
        )  # fmt: skip


def test_wrong_parts_fail_their_checks(parts):
    class TwiceTheNoise(parts["Growing"]):
        def diffusion(self, x):
            return super().diffusion(x) / 2

    class Overstated(parts["DriftKickDrift"]):
        orders = sp.integrators.SRA1.orders

    with pytest.raises(AssertionError, match="off D"):
        check_noise(TwiceTheNoise(), np.array([[0.5]]))
    with pytest.raises(AssertionError, match=r"Overstated, strong_additive.*1\.5 is claimed"):
        check_integrator(Overstated())
