"""What all pictures share: files, labels, no pyplot."""

import subprocess
import sys

import pytest
import xarray as xr

from sgdphys import plots
from sgdphys.plots.figures import axis_label, readable_height, spread_frames


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
