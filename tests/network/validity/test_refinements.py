import numpy as np
import pytest

from sgdphys.network.validity.predictions import Estimate
from sgdphys.network.validity.refinements import Refinements, _trend


def test_the_trend_is_slope_over_intercept_with_its_error():
    """Against 4000 draws of the three points: the error of a ratio to first order."""
    numbers, errors = (1, 2, 4), np.array([0.01, 0.012, 0.015])
    exact = 1.1 + 0.2 / np.array(numbers)
    estimate = _trend(numbers, exact, errors)
    assert estimate.value == pytest.approx(0.2 / 1.1)
    rng = np.random.default_rng(0)
    drawn = [_trend(numbers, exact + errors * rng.normal(size=3), errors).value for _ in range(4000)]
    assert estimate.error == pytest.approx(np.std(drawn), rel=0.05)


def test_the_scan_becomes_variables():
    scan = Refinements((1, 2), np.array([1.2, 1.1]), np.array([0.1, 0.1]), np.array([1.25, 1.11]), Estimate(0.1, 0.1))
    dataset = scan.dataset()
    assert dataset["refinement"].values.tolist() == [1, 2]
    assert dataset["refined_variance_ratio"].attrs["long_name"]
