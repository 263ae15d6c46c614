"""Sweeps of a network: ratios to the prediction."""

import numpy as np
import pytest

from sgdphys import plots


def test_network_sweep(labels, network_sweep):
    axes = plots.draw_network_sweep(network_sweep).axes
    assert axes[0].get_ylabel() == "variance / exact, real networks"
    real = axes[0].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(real, 1.1)
    ratios = network_sweep["mean_ratio_real"].mean("seed")
    for k, container in enumerate(axes[1].containers[1:]):
        np.testing.assert_allclose(container.lines[0].get_ydata(), ratios[k])
        np.testing.assert_allclose(container.lines[0].get_xdata(), network_sweep["temperature"][k])
    markers = [container.lines[0].get_marker() for container in axes[1].containers]
    assert len(set(markers)) == 3  # the twin, and two learning rates: told apart at equal temperature
    clouds = ["real networks, lr = 0.05", "real networks, lr = 0.1"]
    assert labels(axes[1]) == ["exact, quadratic loss", "simulated twin, all lr", *clouds]
    assert axes[3].get_ylabel() == "excess loss / T  [loss²/x²]"
    excess = network_sweep["excess_loss"].mean("seed") / network_sweep["temperature"]
    np.testing.assert_allclose(axes[3].containers[1].lines[0].get_ydata(), excess[1])
    assert axes[4].get_ylabel() == "tr H at replicas / at the minimum"
    low, high = axes[4].get_ylim()
    assert low <= 0.9
    assert high >= 1.1
    with pytest.raises(ValueError, match="mean_ratio_real"):
        plots.draw_network_sweep(network_sweep.drop_vars("mean_ratio_real"))
