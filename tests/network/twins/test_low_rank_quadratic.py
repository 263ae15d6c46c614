import numpy as np
import pytest
from asserts import assert_gradient_is_derivative, assert_hessian_is_derivative

from sgdphys.landscapes import Quadratic
from sgdphys.network.twins.low_rank_quadratic import LowRankQuadratic


@pytest.fixture
def landscape():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(7, 3)))[0]
    return LowRankQuadratic(rng.normal(size=7), directions, np.array([3.0, 2.0, 1.0]), 0.1, 0.7)


def test_it_is_the_dense_parabola(landscape):
    x = np.random.default_rng(1).normal(size=(300, 7))
    dense = Quadratic(landscape.hessian(x[:1])[0], 0.7)
    np.testing.assert_allclose(landscape.potential(x), dense.potential(x - landscape.origin), rtol=1e-12)
    np.testing.assert_allclose(landscape.gradient(x), dense.gradient(x - landscape.origin), atol=1e-12)
    np.testing.assert_array_equal(landscape.minima, landscape.origin[None])


def test_its_derivatives_are_derivatives(landscape):
    x = np.random.default_rng(1).normal(size=(5, 7))
    assert_gradient_is_derivative(landscape, x)
    assert_hessian_is_derivative(landscape, x)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="curvatures must have the shape"):
        LowRankQuadratic(np.zeros(3), np.eye(3)[:, :2], np.ones(3), 0.1)
    with pytest.raises(ValueError, match="rest must be finite"):
        LowRankQuadratic(np.zeros(3), np.eye(3)[:, :2], np.ones(2), np.inf)
