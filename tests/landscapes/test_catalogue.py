import subprocess
import sys

import pytest

from sgdphys import landscapes
from sgdphys.errors import FormulaError
from sgdphys.landscapes import DoubleWell, Expression, FlatSharp, MuellerBrown


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


def test_importing_and_naming_landscapes_is_light():
    heavy = {"numba", "sympy", "torch", "zarr"}
    code = f"import sys, sgdphys.landscapes as l; l.named('mueller-brown'); print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
