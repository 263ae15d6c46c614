"""Sweeps over temperatures: means over seeds, pooled errors, exact lines."""

import numpy as np

from sgdphys import plots


def test_temperature_sweep(temperature_sweep):
    axes = plots.draw_temperature_sweep(temperature_sweep).axes
    assert axes[0].get_ylabel() == "entropy H  [nat]"
    assert all(panel.get_xlabel() == "temperature T  [x²/loss]" for panel in axes[:5])
    assert axes[5].get_xlabel() == "time t  [x²/loss]"
    points = axes[0].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(points, temperature_sweep["entropy"].isel(time=-1).mean("seed"))
    np.testing.assert_allclose(axes[0].lines[0].get_ydata(), temperature_sweep["stationary_entropy"])
    bars = axes[0].containers[0].lines[2][0].get_segments()
    errors = temperature_sweep["entropy_standard_error"].isel(time=-1)
    pooled = np.sqrt((errors**2).sum("seed")) / 2
    np.testing.assert_allclose([(bar[1, 1] - bar[0, 1]) / 2 for bar in bars], pooled)


def test_temperature_sweep_without_reference(temperature_sweep):
    blank = temperature_sweep.copy()
    for name in [name for name in blank if name.startswith(("stationary", "relative"))]:
        blank[name] = blank[name] * np.nan
    axes = plots.draw_temperature_sweep(blank).axes
    assert axes[3].texts[0].get_text() == "no reference"
    assert axes[5].get_ylabel().startswith("free energy")


def test_the_way_there_shows_only_what_is_above_its_errors(temperature_sweep):
    axes = plots.draw_temperature_sweep(temperature_sweep).axes[5]
    assert axes.get_yscale() == "log"
    errors = np.sqrt((temperature_sweep["relative_entropy_standard_error"] ** 2).sum("seed")) / 2
    values = temperature_sweep["relative_entropy"].mean("seed")
    shown = np.concatenate([container.lines[0].get_ydata() for container in axes.containers])
    assert np.isfinite(shown).sum() == int((values > 2 * errors).sum())
