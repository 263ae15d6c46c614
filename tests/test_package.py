"""The house as a whole: what an import loads, which layer may import which, and names."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import sgdphys

ROOT = Path(sgdphys.__file__).parent
HEAVY = ("torch", "matplotlib", "numba", "zarr", "scipy.stats", "sympy", "xarray")


def loaded_by(code):
    """Return which of the heavy modules a fresh process holds after the code."""
    test = f"{code}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", test], capture_output=True, text=True, check=True)
    return set(ast.literal_eval(result.stdout))


def test_import_is_light():
    assert loaded_by("import sgdphys") == set()


def test_settings_and_landscapes_need_no_torch():
    assert not {"torch", "matplotlib", "zarr"} & loaded_by("import sgdphys as sp; sp.SGD; sp.landscapes; sp.noises")


RUN = """
import sgdphys as sp
sp.simulate(sp.landscapes.Expression("x**4 - x**2 + 0.01*x"), temperature=0.1, dt=0.01, n_steps=2, n_particles=2)
"""


def test_a_simulation_loads_neither_torch_nor_zarr_nor_on_the_warm_path_sympy():
    assert not {"torch", "matplotlib", "zarr", "scipy.stats"} & loaded_by(RUN)
    assert "sympy" not in loaded_by(RUN)


@pytest.mark.parametrize("name", sgdphys.__all__)
def test_every_public_name_is_there(name):
    assert getattr(sgdphys, name) is not None
    assert name in dir(sgdphys)


def test_unknown_names_are_no_attributes():
    with pytest.raises(AttributeError, match="module 'sgdphys' has no attribute 'simulat'"):
        _ = sgdphys.simulat


def modules():
    return sorted(
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in ROOT.rglob("*.py")
        if "_data" not in path.parts
    )


@pytest.mark.parametrize("name", modules())
def test_every_module_keeps_its_promises(name):
    """``__all__`` names what is there; no module has the name of something public beside it; files stay short."""
    module = importlib.import_module(name)
    missing = [public for public in getattr(module, "__all__", []) if not hasattr(module, public)]
    assert not missing
    package, _, own = name.rpartition(".")
    if package:
        public = getattr(importlib.import_module(package), own, module)
        assert public is module, f"{package} offers {own} under the name of its module"
    assert len(Path(module.__file__).read_text(encoding="utf-8").splitlines()) < 300


def test_layers_are_kept():
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--config", ROOT.parent / "pyproject.toml", "--no-cache"],
        cwd=ROOT.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:]


def test_the_contract_covers_every_room():
    """A new room that no layer names would escape the contract."""
    import tomllib

    with (ROOT.parent / "pyproject.toml").open("rb") as stream:
        layers = tomllib.load(stream)["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {room.strip(" ()") for layer in layers for room in layer.split("|")}
    rooms = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__", "__main__", "_data"} <= named
