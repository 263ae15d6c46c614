import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from sgdphys import landscapes
from sgdphys.errors import FormulaError
from sgdphys.landscapes import DoubleWell, Expression, FlatSharp, FormulaLandscape, MuellerBrown


@dataclass(frozen=True)
class Ring(FormulaLandscape):
    """A valley on the circle of a radius."""

    radius: float = 1.0

    def expression(self):
        """Return (x^2 + y^2 - r^2)^2 / 4."""
        return Expression("(x**2 + y**2 - r**2)**2/4", r=self.radius)


@pytest.mark.parametrize(
    ("name", "landscape"),
    [
        ("double-well", DoubleWell()),
        ("mueller-brown", MuellerBrown()),
        ("flat-sharp", FlatSharp()),
        ("x**4/4 - x**2/2", Expression("x**4/4 - x**2/2")),
    ],
)
def test_names_and_formulas(name, landscape):
    assert landscapes.named(name) == landscape


def test_a_misspelt_name_is_answered_with_the_right_one():
    with pytest.raises(FormulaError, match="did you mean mueller-brown"):
        landscapes.named("mueler-brown")
    with pytest.raises(FormulaError, match="named landscapes are double-well"):
        landscapes.named("__import__('os')")


def test_the_user_s_own_code_is_not_restored():
    with pytest.raises(ValueError, match="user's own code"):
        landscapes.restore({"landscape": "Custom", "dim": 1})


def test_a_class_that_is_not_exported_is_named():
    with pytest.raises(ValueError, match=r"exports no class NoSuchWell: .*exported in landscapes/__init__\.py"):
        landscapes.restore({"landscape": "NoSuchWell", "barrier": 1.0})
    with pytest.raises(ValueError, match="exports no class restore"):
        landscapes.restore({"landscape": "restore"})


def test_an_exported_class_is_found_by_its_name(monkeypatch):
    monkeypatch.setattr(landscapes, "Ring", Ring, raising=False)
    again = landscapes.restore(json.loads(json.dumps((0.5 * Ring(2.0)).configuration())))
    points = np.random.default_rng(0).normal(size=(10, 2))
    assert np.array_equal(again.potential(points), (0.5 * Ring(2.0)).potential(points))


def test_importing_and_naming_landscapes_is_light():
    heavy = {"numba", "sympy", "torch", "zarr"}
    code = f"import sys, sgdphys.landscapes as l; l.named('mueller-brown'); print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
