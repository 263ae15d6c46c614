"""Sweeps of a network: ratios to the prediction."""

import numpy as np
import pytest

from sgdphys import plots


def test_network_sweep(labels, network_sweep):
    axes = plots.draw_network_sweep(network_sweep).axes
    assert axes[0].get_ylabel() == "variance / exact"
    real = axes[0].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(real, 1.1)
    ratio = axes[1].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(ratio, network_sweep["mean_ratio_real"].mean("seed").values.ravel())
    assert labels(axes[1]) == ["exact, quadratic loss", "real networks", "simulated twin"]
    assert axes[3].get_ylabel() == "excess loss  [loss]"
    assert axes[4].get_ylabel() == "trace of the Hessian  [loss/x²]"
    with pytest.raises(ValueError, match="mean_ratio_real"):
        plots.draw_network_sweep(network_sweep.drop_vars("mean_ratio_real"))
