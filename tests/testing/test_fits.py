"""Orders fitted to errors whose order is known."""

import numpy as np
import pytest

from sgdphys.testing.fits import fit_order


def test_an_order_is_fitted_with_its_standard_error():
    dts = [0.1, 0.05, 0.025]
    errors = np.outer(np.power(dts, 1.5), [1.0, 2.0, 3.0])
    fit = fit_order(dts, errors)
    assert fit.order == pytest.approx(1.5) and fit.standard_error < 1e-12
    errors[0, 0] *= 1.5
    assert fit_order(dts, errors).standard_error == pytest.approx(np.log(1.5) / np.log(4) / 3, rel=1e-6)
