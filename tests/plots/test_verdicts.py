"""The picture of a verdict."""

import numpy as np
import pytest
import xarray as xr

from sgdphys import plots, schema
from sgdphys.plots.recognition import draw_dataset


@pytest.fixture
def verdict():
    """Return what network.validity returns, for two directions and two rows that are judged."""
    named = {
        "curvature": [2.0, 0.5],
        "variance_real": [0.012, 0.02],
        "variance_real_standard_error": [0.001, 0.002],
        "variance_predicted": [0.011, 0.02],
        "variance_of_equation": [0.01, 0.019],
    }
    along = {name: ("coordinate", values, schema.describe(name)) for name, values in named.items()}
    rows = {
        "row_value": ("row", [0.1, 1.2, np.nan]),
        "row_value_standard_error": ("row", [0.0, 0.02, np.nan]),
        "row_expected": ("row", [np.nan, 1.0, 0.0]),
        "row_label": ("row", ["T = lr/(2B)", "variance / theory", "SVAG"]),
        "row_relation": ("row", ["=", "<", "="]),
        "row_unit": ("row", ["x^2/loss", "1", "1"]),
        "judgement": ("row", ["does not apply", "disagrees", "does not apply"]),
        "row_reason": ("row", ["", "", "momentum"]),
    }
    scan = {
        "refined_variance_ratio": ("refinement", [1.2, 1.1]),
        "refined_variance_ratio_standard_error": ("refinement", [0.02, 0.02]),
        "refined_variance_ratio_predicted": ("refinement", [1.25, 1.11]),
    }
    other = {"eigenvalue": ("mode", [1.0, 0.1, 0.0]), "noise_covariance": (("coordinate", "coordinate_2"), np.eye(2))}
    coordinates = {"row": ["temperature", "variance", "variance_amplified"], "refinement": [1, 2]}
    return xr.Dataset({**along, **rows, **scan, **other}, coordinates, {"verdict": "stationary but 20% hotter"})


def test_the_panels_hold_the_numbers(verdict, labels):
    variances, scan, spectrum, table = plots.draw_validity(verdict).axes
    assert labels(variances) == ["stochastic equation (Lyapunov)", "theory: exact map", "real networks"]
    np.testing.assert_allclose(variances.containers[0].lines[0].get_ydata(), [0.012, 0.02])
    assert variances.get_xlabel() == "curvature λ  [loss/x²]"
    np.testing.assert_allclose(scan.containers[0].lines[0].get_xdata(), [1.0, 0.5])
    np.testing.assert_allclose(spectrum.lines[0].get_ydata(), [1.0, 0.1])  # no 0 on a logarithmic axis
    texts = [text.get_text() for text in table.texts]
    for text in ("T = lr/(2B)  [x²/loss]", "1.2 ± 0.02", "< 1", "disagrees", "does not apply: momentum"):
        assert text in texts
    assert "0.1" in texts  # an error of 0 is none
    assert texts[-1] == "verdict: stationary but 20% hotter"


def test_what_was_not_run_leaves_its_panel_empty(verdict):
    names = ["variance_real", "variance_real_standard_error", "variance_predicted", "variance_of_equation"]
    less = verdict.drop_dims("refinement").drop_vars(names)
    less["eigenvalue"] = ("mode", [0.0])
    variances, scan, spectrum, _ = plots.draw_validity(less).axes
    assert variances.texts[0].get_text() == "no stationary state"
    assert scan.texts[0].get_text() == "not run, or does not apply"
    assert spectrum.texts[0].get_text() == "no noise"


def test_one_eigenvalue_stands_inside_its_panel(verdict):
    one = verdict.isel(coordinate=[0], coordinate_2=[0]).assign(eigenvalue=("mode", [1.0]))
    low, high = plots.draw_validity(one).axes[2].get_ylim()
    assert low < 0.6
    assert high > 1.6


def test_it_is_recognised_and_others_are_refused(verdict):
    assert len(draw_dataset(verdict).axes) == 4
    with pytest.raises(ValueError, match="holds no verdict"):
        plots.draw_validity(verdict.drop_vars("judgement"))
