import numpy as np
import pytest

from sgdphys.errors import FormulaError
from sgdphys.formula.tree import Apply, Coordinate, Number, apply, evaluate_tree, nodes, uses_coordinates


def test_numbers_are_folded_and_coordinates_are_not():
    assert apply("+", Number(1.0), Number(2.0), Number(3.0)) == Number(6.0)
    assert apply("sin", Coordinate(0)) == Apply("sin", (Coordinate(0),))


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("log", (0.0,)),
        ("sqrt", (-1.0,)),
        ("**", (0.0, -1.0)),
        ("exp", (1e3,)),
        ("*", (1e200, 1e200)),
        ("/", (1.0, 0.0)),
    ],
)
def test_constants_without_a_finite_value_are_refused(name, numbers):
    with pytest.raises(FormulaError):
        apply(name, *map(Number, numbers))


def test_values_of_undefined_points_are_nan_without_a_warning():
    values = evaluate_tree(apply("log", Coordinate(0)), np.array([[-1.0], [1.0]]), np.zeros(0))
    assert np.isnan(values[0])
    assert values[1] == 0


def test_nodes_and_coordinates_are_found():
    tree = apply("+", Number(1.0), apply("sin", Coordinate(0)))
    assert len(list(nodes(tree))) == 4
    assert uses_coordinates(tree)
    assert not uses_coordinates(Number(1.0))
