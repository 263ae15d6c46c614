import os
import subprocess
import sys

from sgdphys.formula import parse_formula
from sgdphys.formula.generated import field_kernel

RUN = """
import sys, numpy as np
from sgdphys.formula import parse_formula
from sgdphys.kernels import evaluate
f = parse_formula("x**4/4 - x**2/2 + h*sin(x)", {"h": 0.1})
print(evaluate([f.term("gradient")], np.ones((1, 1)), 1)[0, 0], "sympy" in sys.modules)
"""


def test_the_second_process_loads_no_sympy_and_finds_the_same_numbers(tmp_path):
    environment = os.environ | {"SGDPHYS_CACHE": str(tmp_path)}
    run = [sys.executable, "-c", RUN]
    cold, warm = (
        subprocess.run(run, capture_output=True, text=True, check=True, env=environment).stdout.split()
        for _ in range(2)
    )
    assert cold[1] == "True"
    assert warm[1] == "False"
    assert cold[0] == warm[0]


def test_the_same_formula_is_one_kernel_however_it_is_spaced():
    first, second = parse_formula("x ** 2+y"), parse_formula(" x**2 + (y)")
    assert field_kernel("gradient", first.tree, 2) is field_kernel("gradient", second.tree, 2)
    assert field_kernel("gradient", first.tree, 2) is not field_kernel("potential", first.tree, 2)
