import numpy as np
import pytest
from asserts import assert_within
from least_squares_data import constant_noise

import sgdphys as sp
from sgdphys import SGD, analysis


def test_plain_sgd_relaxes_by_the_factor_of_its_map():
    result = analysis.equilibration([0.5, 2.0], SGD(0.1, 8), accuracy=0.01)
    np.testing.assert_array_equal(result["eigenvalue"], [2.0, 0.5])
    np.testing.assert_allclose(result["relaxation_steps"], -1 / np.log([0.8, 0.95]), rtol=1e-12)
    np.testing.assert_allclose(result["equilibration_steps"], np.log(0.01) / np.log([0.64, 0.9025]), rtol=1e-12)
    assert result["slowest_equilibration_steps"] == result["equilibration_steps"][1]


def test_it_is_1_over_lr_lambda_for_small_steps_and_shorter_with_momentum():
    slow, fast = (
        analysis.equilibration([1.0], SGD(1e-4, 1, momentum=mu))["relaxation_steps"].item() for mu in (0.0, 0.9)
    )
    assert slow == pytest.approx(1e4, rel=1e-3)
    assert fast == pytest.approx(1e3, rel=1e-2)


def test_no_end_where_the_mean_does_not_settle():
    result = analysis.equilibration([30.0, 10.0, 0.0, -1.0], SGD(0.1, 1))
    np.testing.assert_array_equal(result["relaxation_steps"], [np.inf, 0.0, np.inf, np.inf])
    assert np.isinf(result["slowest_equilibration_steps"])


def test_the_variance_of_a_cloud_is_short_of_its_end_by_the_accuracy():
    """Standard error of the variance of 40000 particles .7 %; by the mean's time instead it would be short by 37 %."""
    sgd, accuracy = SGD(0.05, 1), 0.2
    steps = round(analysis.equilibration([1.0], sgd, accuracy=accuracy)["slowest_equilibration_steps"].item())
    assert steps == 16
    cloud = sp.simulate(constant_noise(1.0, 64), sgd=sgd, n_steps=600, n_particles=40_000, start=0.0, save_at=[0.8, 30])
    early, end = cloud["position"].values[:, :, 0].var(axis=1, ddof=1)
    assert_within(early / end, 1 - 0.95**32, np.sqrt(4 / 40_000))


@pytest.mark.parametrize(("values", "match"), [([], "one dimension"), ([np.nan], "finite"), (np.eye(2), "dimension")])
def test_refusals(values, match):
    with pytest.raises(ValueError, match=match):
        analysis.equilibration(values, SGD(0.1, 1))
    with pytest.raises(ValueError, match="accuracy must lie between 0 and 1"):
        analysis.equilibration([1.0], SGD(0.1, 1), accuracy=1.0)
