import numpy as np
import pytest

from sgdphys.landscapes import DoubleWell


def test_default_is_the_standard_quartic():
    x = np.linspace(-3, 3, 101)[:, np.newaxis]
    np.testing.assert_allclose(DoubleWell().potential(x), (x**4 / 4 - x**2 / 2)[:, 0], rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(DoubleWell().gradient(x), x**3 - x, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(("barrier", "distance"), [(0.25, 2.0), (3.0, 0.5), (0.01, 10.0)])
def test_barrier_and_distance_are_those_asked_for(barrier, distance):
    well = DoubleWell(barrier=barrier, distance=distance)
    heights = well.potential(well.saddles)[0] - well.potential(well.minima)
    np.testing.assert_allclose(heights, barrier, rtol=1e-14)
    assert well.minima[1, 0] - well.minima[0, 0] == distance
    a = distance / 2
    np.testing.assert_allclose(well.hessian(well.minima)[:, 0, 0], 8 * barrier / a**2, rtol=1e-14)
    np.testing.assert_allclose(well.hessian(well.saddles)[:, 0, 0], -4 * barrier / a**2, rtol=1e-14)


@pytest.mark.parametrize("name", ["barrier", "distance"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_sizes_that_make_no_well_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be positive and finite, got"):
        DoubleWell(**{name: value})
