import warnings

import numpy as np
import pytest

from sgdphys.network.twins.drift import warn_of_drift


def test_gradients_that_are_rounding_are_no_drift_where_a_direction_has_no_noise(perceptron):
    network = perceptron.minimum()
    V = network.curvature().top(2)["eigenvector"].values
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        warn_of_drift(network, V, np.diag([1e-3, 1e-20]), "the twin leaves it out", 1)
    assert not heard


def test_a_displaced_network_is_told_how_far_its_gradient_is_above_rounding(perceptron):
    network = perceptron.minimum()
    V = network.curvature().top(2)["eigenvector"].values
    moved = network.at(network.parameters + 0.01 * V[:, 0])
    relative = np.linalg.norm(V.T @ moved.gradient()) / np.sqrt(np.trace(moved.noise().project(V)))
    assert 1e-3 < relative < 0.1
    with pytest.warns(
        RuntimeWarning, match=f"reaches {relative:.2g} of the noise of one sample, .* and it is left out"
    ):
        warn_of_drift(moved, V, moved.noise().project(V), "it is left out", 1)
