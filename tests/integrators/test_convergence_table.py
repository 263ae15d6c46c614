"""The table of orders: every integrator has a line, and the README prints it."""

from pathlib import Path

from sgdphys.integrators import SRA1, Underdamped, order_table
from sgdphys.integrators.convergence_table import integrator_classes

README = (Path(__file__).parent.parent.parent / "README.md").read_text()


def test_the_readme_prints_the_table():
    printed = README.split("<!-- orders -->\n")[1].split("\n<!-- end of orders -->")[0]
    assert printed == order_table(), "print sgdphys.integrators.order_table() into the README between its marks"


def test_every_integrator_has_a_line_of_seven_cells():
    lines = order_table().splitlines()
    assert len(lines) == 2 + len(integrator_classes())
    assert all(line.replace(r"\|", "").count("|") == 8 for line in lines)
    assert "| `SRA1` | dx = -grad f dt + sqrt(2 T D) dW, D constant | constant | 1.5 | - | 2 | - |" in lines


def test_bases_are_no_integrators():
    assert SRA1 in integrator_classes()
    assert Underdamped not in integrator_classes()
