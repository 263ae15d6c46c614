import numpy as np
import pytest
from linear_clouds import broken_balance, cloud_of_chain, entropy_per_step

from sgdphys.analysis.gaussian_entropy_production import gaussian_entropy_production
from sgdphys.analysis.paths import stationary_paths


def test_statistic_is_the_formula_of_the_fitted_chain():
    """With the sample's own S and M = C S^-1 the entropy is that of the chain's two noises."""
    paths = stationary_paths(cloud_of_chain(broken_balance(0.1), 500, 40, 0), 0)
    early, late = (part.reshape(-1, 2) for part in (paths.position[:-1], paths.position[1:]))
    S = (early.T @ early + late.T @ late) / (2 * len(early))
    M = late.T @ early / len(early) @ np.linalg.inv(S)
    fitted = gaussian_entropy_production(paths)
    value = fitted.statistic(fitted.odd.mean(axis=0)[np.newaxis])[0]
    assert value == pytest.approx(entropy_per_step(M, S), rel=1e-9)
    assert fitted.statistic(-fitted.odd.mean(axis=0)[np.newaxis])[0] == pytest.approx(value, rel=1e-12)


def test_entropy_of_the_canonical_chain():
    """The golden numbers of case C1 per time: 1.89844, 1.82982, 1.82323, limit 1.8225."""
    for lr, expected in [(0.1, 1.89844), (0.01, 1.82982), (0.001, 1.82323)]:
        chain = broken_balance(lr)
        assert entropy_per_step(chain.M, chain.S) / lr == pytest.approx(expected, abs=1e-5)
