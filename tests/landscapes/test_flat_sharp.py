import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sgdphys.landscapes import FlatSharp

positive = st.floats(0.02, 50)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.tuples(positive, positive), st.floats(-2, 2), st.floats(0.1, 5), st.booleans())
def test_positions_depths_and_curvatures_are_exact(curvatures, lift, distance, flipped):
    """A smooth minimum by exponentials misses them by the other well's tail; here nothing is missed."""
    positions = (0.5, 0.5 - distance) if flipped else (0.5, 0.5 + distance)
    half_square = 0.5 * (positions[1] - positions[0]) ** 2
    assume(-0.9 * curvatures[1] * half_square < lift < 0.9 * curvatures[0] * half_square)
    landscape = FlatSharp(positions, (lift, 0.0), curvatures)
    np.testing.assert_allclose(landscape.potential(landscape.minima), [-lift, 0.0], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(landscape.gradient(landscape.minima), 0, atol=1e-12)
    np.testing.assert_allclose(landscape.hessian(landscape.minima)[:, 0, 0], curvatures, rtol=1e-12)


@pytest.mark.parametrize("smoothing", [None, 0.01, 0.3, 1.0])
def test_there_are_two_minima_and_one_barrier(smoothing):
    landscape = FlatSharp(smoothing=smoothing)
    x = np.linspace(-6, 6, 20_001)[:, np.newaxis]
    slope = landscape.gradient(x)[:, 0]
    crossings = 0.5 * (x[1:] + x[:-1])[np.diff(np.sign(slope)) != 0][:, 0]
    expected = np.sort(np.concatenate([landscape.minima, landscape.saddles])[:, 0])
    np.testing.assert_allclose(np.unique(crossings.round(2)), expected, atol=0.011)
    assert landscape.potential(landscape.saddles)[0] > landscape.potential(landscape.minima).max()


def test_barrier_lies_five_thirtyseconds_of_the_smoothing_below_the_crossing():
    landscape = FlatSharp(positions=(-1.0, 1.0), curvatures=(2.0, 2.0), smoothing=0.4)
    assert landscape.saddles[0, 0] == pytest.approx(0, abs=1e-15)
    assert landscape.potential(np.zeros((1, 1)))[0] == pytest.approx(1.0 - 5 / 32 * 0.4, rel=1e-14)


def test_equal_depths_fill_the_wells_by_their_widths():
    """Gibbs at low temperature: flat over sharp is sqrt(8/0.5) = 4; by depths alone it would be 1."""
    landscape = FlatSharp()
    x = np.linspace(-4, 3, 70_001)[:, np.newaxis]
    weight = np.exp(-landscape.potential(x) / 0.02)
    left = x[:, 0] < landscape.saddles[0, 0]
    assert np.sum(weight[left]) / np.sum(weight[~left]) == pytest.approx(4.0, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"positions": (1.0, 1.0)}, "positions must differ"),
        ({"positions": (1.0, 2.0, 3.0)}, "positions must have the shape"),
        ({"curvatures": (1.0, 0.0)}, "curvatures must be positive"),
        ({"depths": (0.0, np.nan)}, "depths must be finite"),
        ({"depths": (9.0, 0.0)}, "inside the other well"),
        ({"smoothing": 1.01}, "at most 1"),
        ({"smoothing": 0.0}, "smoothing must be positive"),
        ({"smoothing": np.nan}, "smoothing must be positive"),
    ],
)
def test_what_makes_no_two_wells_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        FlatSharp(**arguments)
