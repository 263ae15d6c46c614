import numpy as np
import pytest

from sgdphys.landscapes import DoubleWell
from sgdphys.landscapes.base import as_points, finite_array


@pytest.mark.parametrize(
    "x",
    [
        [[0.5], [1.5]],
        np.array([[0.5], [1.5]], dtype=np.float32),
        np.array([[0.5, 9], [1.5, 9]])[:, :1],
        np.broadcast_to(np.array([[0.5], [1.5]]), (2, 1)),
    ],
)
def test_any_array_of_points_is_taken(x):
    np.testing.assert_allclose(DoubleWell().gradient(x), [[0.5**3 - 0.5], [1.5**3 - 1.5]], rtol=1e-14)


def test_points_are_not_changed():
    x = np.ones((3, 1))
    DoubleWell().gradient(x)
    assert np.all(x == 1)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (1, 3, 1), ()])
def test_other_shapes_are_refused_with_the_way_out(shape):
    with pytest.raises(ValueError, match=r"points must have the shape \(particle, 1\), got .*reshape\(-1, 1\)"):
        as_points(np.zeros(shape), 1)


def test_finite_array_copies_and_fixes():
    values = np.zeros(3)
    kept = finite_array("values", values, (None,))
    values[0] = 1
    assert kept[0] == 0
    assert not kept.flags.writeable


def test_finite_array_names_the_value():
    with pytest.raises(ValueError, match="slope must be finite, got inf"):
        finite_array("slope", [1.0, np.inf], (2,))
    with pytest.raises(ValueError, match=r"slope must have the shape \(2\), got \(3,\)"):
        finite_array("slope", [1.0, 2.0, 3.0], (2,))
