import numpy as np
import pytest

from sgdphys.network.twins.stationary_traces import stationary_traces


def test_probes_find_what_the_dense_matrices_tell(perceptron):
    # 32 probes: an error of about sqrt(2 / 32) over the root of the effective number of directions
    network = perceptron.minimum(tolerance=1e-9)
    leading = network.curvature().top(5)
    h, V = leading["eigenvalue"].values, leading["eigenvector"].values
    exact, probed = (stationary_traces(network, h, V, network.noise().project(V), dense) for dense in (True, False))
    hessian, covariance = network.curvature().dense(), network.noise().dense()
    assert exact.noise == pytest.approx(np.trace(covariance))
    assert exact.variance == pytest.approx(np.trace(np.linalg.solve(hessian, covariance)))
    assert probed.variance == pytest.approx(exact.variance, rel=0.15)
    assert probed.matched == pytest.approx(exact.matched, rel=0.2)
