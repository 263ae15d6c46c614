"""What all pictures share: files, labels, no pyplot."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from sgdphys import plots
from sgdphys.plots.figures import axis_label, changing_frames, readable_height, spread_frames


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_save(cloud, tmp_path, ending):
    plots.save_figure(plots.draw_cloud(cloud), tmp_path / f"cloud.{ending}")
    assert (tmp_path / f"cloud.{ending}").stat().st_size > 3000


def test_unknown_endings_are_refused(cloud, tmp_path):
    figure = plots.draw_cloud(cloud)
    for name in ("cloud", "cloud.xyz"):
        with pytest.raises(ValueError, match=r"must end in \.png, \.pdf or \.svg"):
            plots.save_figure(figure, tmp_path / name)
    with pytest.raises(ValueError, match="nowhere' of the picture does not exist"):
        plots.save_figure(figure, tmp_path / "nowhere" / "cloud.png")


def test_frames_andlabels(labels):
    assert spread_frames(3, 5) == [0, 1, 2]
    assert spread_frames(101, 3) == [0, 25, 100]
    assert readable_height([100.0, 1.0, 2.0]) == pytest.approx(2.6)
    assert readable_height([1.0, 2.0]) == pytest.approx(2.1)
    array = xr.DataArray(0.0, attrs={"units": "x^2/loss", "long_name": "time"})
    assert axis_label(array) == "time  [x²/loss]"


def test_no_pyplot():
    code = "import sys, sgdphys.plots.recognition; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_frames_are_chosen_where_the_density_changes():
    frames = np.zeros((101, 4))
    frames[:, 0] = 1.0
    frames[60:] = np.roll(frames[60:], 1, axis=1)
    assert changing_frames(frames, 4) == [0, 60, 100]
    steady = np.linspace(0.0, 1.0, 101)[:, np.newaxis] * np.ones(4)
    assert changing_frames(steady, 5) == [0, 25, 50, 75, 100]
    assert changing_frames(frames[:3], 5) == [0, 1, 2]
    assert changing_frames(frames[:50], 3) == [0, 49]
    start = np.concatenate([[3.0], np.exp(-np.arange(50.0) / 10)])[:, np.newaxis]
    chosen = changing_frames(start, 6)
    assert chosen[:2] == [0, 1]
    assert len(chosen) == 6, "the spike of a start in a point leaves frames for what comes after"


def test_tab_completion_shows_what_can_be_drawn():
    from sgdphys.plots import figures  # noqa: F401  loads submodules, which dir does not show

    assert dir(plots) == sorted(plots.__all__)
