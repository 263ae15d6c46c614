"""Pictures: what they show is what the data say, they are labelled with units, and pyplot stays out of it."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys import plots, schema
from sgdphys.landscapes import DoubleWell, MuellerBrown, Quadratic
from sgdphys.plots.figures import axis_label, readable_height, spread_frames

WELL = DoubleWell()


@pytest.fixture(scope="module")
def cloud():
    return sp.simulate(WELL, temperature=0.1, dt=0.02, n_steps=1000, n_particles=4000, start=1.0, save_at=5)


@pytest.fixture(scope="module")
def density():
    grid = sp.Grid([(-2.2, 2.2, 200)])
    return sp.fokker_planck.evolve(WELL, temperature=0.1, grid=grid, start=1.0, times=[0, 5, 10, 15, 20])


@pytest.fixture(scope="module")
def stationary():
    return sp.fokker_planck.stationary(WELL, temperature=0.1, grid=sp.Grid([(-2.2, 2.2, 200)]))


@pytest.fixture(scope="module")
def plane_cloud():
    return sp.simulate(
        MuellerBrown(), temperature=20.0, dt=1e-5, n_steps=500, n_particles=2000, start=[-0.5, 1.4], save_at=3
    )


def _labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def _area(patch):
    heights, edges, _ = patch.get_data()
    return float((heights * np.diff(edges)).sum())


def test_histograms_have_unit_area_and_lie_on_the_density(cloud, density, stationary):
    figure = plots.draw_cloud(cloud, density=density, stationary=stationary, landscape=WELL)
    axes, below = figure.axes
    assert [round(_area(patch), 3) for patch in axes.patches] == pytest.approx([1.0] * len(axes.patches), abs=2e-3)
    heights, edges, _ = axes.patches[-1].get_data()
    line = [line for line in axes.lines if len(line.get_xdata()) > 100][-2]  # the last density; after it the stationary
    expected = np.interp((edges[1:] + edges[:-1]) / 2, line.get_xdata(), line.get_ydata())
    error = np.sqrt(np.maximum(expected, 0.02) / (4000 * np.diff(edges)))
    assert np.abs((heights - expected) / error).max() < 5
    assert axes.get_ylabel() == "probability density  [1/x]"
    assert below.get_ylabel() == "potential  [loss]"
    assert below.get_xlabel() == "coordinate x  [x]"
    assert _labels(axes)[-2:] == ["density on the grid at these times", "stationary density"]


def test_chosen_frames(cloud):
    axes = plots.draw_cloud(cloud, frames=[0, 4]).axes[0]
    assert _labels(axes) == ["cloud, t = 0", "cloud, t = 20"]
    with pytest.raises(ValueError, match="frame 5 does not exist, the cloud has 5"):
        plots.draw_cloud(cloud, frames=[5])


def test_two_coordinates(plane_cloud):
    grid = sp.Grid([(-1.5, 1.2, 60), (-0.5, 2.0, 60)])
    stationary = sp.fokker_planck.stationary(MuellerBrown(), temperature=20.0, grid=grid)
    figure = plots.draw_cloud(plane_cloud, stationary=stationary, landscape=MuellerBrown())
    assert [axes.get_title() for axes in figure.axes[:2]] == [
        "cloud of 2000, t = 0.005",
        "stationary density on the grid",
    ]
    assert figure.axes[0].get_xlabel() == "coordinate x  [x]"
    assert figure.axes[2].get_ylabel() == "probability density  [1/x²]"


def test_many_coordinates():
    bowl = Quadratic(np.diag([1.0, 2.0, 4.0, 8.0]))
    cloud = sp.simulate(bowl, temperature=0.1, dt=0.05, n_steps=100, n_particles=2000, start=0.0, save_at=6)
    plane, spread = plots.draw_cloud(cloud).axes
    variances = [line.get_ydata()[-1] for line in spread.lines]
    assert variances == pytest.approx(cloud["position"].isel(time=-1).var("particle").values)
    assert spread.get_ylabel() == "variance  [x²]"
    assert plane.get_xlabel() == "coordinate x0  [x]"


def test_a_cloud_that_is_gone():
    gone = xr.Dataset({"position": (("time", "particle", "coordinate"), np.full((1, 5, 1), np.nan))}, {"time": [0.0]})
    with pytest.raises(ValueError, match="all went to infinity"):
        plots.draw_cloud(gone)


def test_density_lines(density, stationary):
    axes = plots.draw_density(density, stationary=stationary).axes[0]
    assert _labels(axes) == ["t = 0", "t = 5", "t = 10", "t = 15", "t = 20", "stationary"]
    assert axes.get_ylim()[1] < 0.5 * float(density["density"].max()), "the spike at t = 0 is cut"


def test_density_planes():
    grid = sp.Grid([(-2, 2, 40), (-2, 2, 40)])
    density = sp.fokker_planck.evolve(
        Quadratic(np.eye(2)), temperature=0.1, grid=grid, start=[0.5, 0.5], times=[0, 1, 3]
    )
    figure = plots.draw_density(density, landscape=Quadratic(np.eye(2)))
    assert [axes.get_title() for axes in figure.axes[:3]] == ["t = 0", "t = 1", "t = 3"]


def test_energies_with_bands_and_grid(cloud, density):
    energies = sp.analysis.free_energy(cloud.isel(time=slice(1, None)), WELL, temperature=0.1)
    exact = sp.analysis.free_energy(density.isel(time=slice(1, None)), WELL, temperature=0.1)
    figure = plots.draw_energies(energies, reference=exact)
    expected = ["entropy H  [nat]", "mean potential E[Φ]  [loss]", "free energy F  [loss]"]
    assert [axes.get_ylabel() for axes in figure.axes] == expected
    assert _labels(figure.axes[2]) == ["cloud", "± 2 standard errors", "grid"]
    with pytest.raises(ValueError, match="none of entropy"):
        plots.draw_energies(cloud)


@pytest.fixture(scope="module")
def temperature_sweep():
    return sp.sweep(WELL, temperatures=[0.1, 0.2, 0.4], seeds=[0, 1], dt=0.02, n_steps=200, n_particles=500, start=0.0)


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


def _network_sweep():
    rng = np.random.default_rng(0)
    points, k = ("lr", "batch_size", "seed"), 4
    temperature = np.array([[0.003, 0.0008], [0.006, 0.0016]])
    sweep = xr.Dataset(
        coords={
            "lr": [0.05, 0.1], "batch_size": [8, 32], "seed": [0, 1], "coordinate": [f"x{i}" for i in range(k)],
            "temperature": (("lr", "batch_size"), temperature, schema.describe("temperature")),
        }
    )  # fmt: skip
    compared = ("mean_ratio_real", "mean_ratio_sim", "entropy_real", "entropy_sim")
    for name in (*compared, "excess_loss", "test_error", "hessian_trace"):
        values = 1 + 0.1 * rng.random((2, 2, 2))
        sweep[name] = (points, values, schema.describe(name))
        sweep[f"{name}_standard_error"] = (points, 0.02 * np.ones((2, 2, 2)))
    for name in ("entropy_predicted", "excess_loss_predicted"):
        sweep[name] = (points, np.ones((2, 2, 2)), schema.describe(name))
    sweep["variance_real"] = ((*points, "coordinate"), 1.1 * np.ones((2, 2, 2, k)))
    sweep["variance_real_standard_error"] = ((*points, "coordinate"), 0.05 * np.ones((2, 2, 2, k)))
    sweep["variance_predicted"] = ((*points, "coordinate"), np.ones((2, 2, 2, k)))
    sweep["minimum_hessian_trace"], sweep["minimum_test_error"] = 22.0, 0.02
    return sweep


def test_network_sweep():
    sweep = _network_sweep()
    axes = plots.draw_network_sweep(sweep).axes
    assert axes[0].get_ylabel() == "variance / exact"
    real = axes[0].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(real, 1.1)
    ratio = axes[1].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(ratio, sweep["mean_ratio_real"].mean("seed").values.ravel())
    assert _labels(axes[1]) == ["exact, quadratic loss", "real networks", "simulated twin"]
    assert axes[3].get_ylabel() == "excess loss  [loss]"
    assert axes[4].get_ylabel() == "trace of the Hessian  [loss/x²]"
    with pytest.raises(ValueError, match="mean_ratio_real"):
        plots.draw_network_sweep(sweep.drop_vars("mean_ratio_real"))


def test_the_dataset_chooses_its_picture(cloud, density, temperature_sweep):
    energies = sp.analysis.entropy(cloud.isel(time=slice(1, None)))
    panels = {
        "cloud": (cloud, 1),
        "density": (density, 1),
        "temperature sweep": (temperature_sweep, 6),
        "energies": (energies, 1),
        "network sweep": (_network_sweep(), 6),
    }
    for name, (dataset, count) in panels.items():
        assert len(plots.draw_dataset(dataset).axes) == count, name
    with pytest.raises(ValueError, match="nothing to draw in a Dataset with no variables"):
        plots.draw_dataset(xr.Dataset())


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_save(cloud, tmp_path, ending):
    plots.save_figure(plots.draw_cloud(cloud), tmp_path / f"cloud.{ending}")
    assert (tmp_path / f"cloud.{ending}").stat().st_size > 3000


def test_unknown_endings_are_refused(cloud, tmp_path):
    figure = plots.draw_cloud(cloud)
    for name in ("cloud", "cloud.xyz"):
        with pytest.raises(ValueError, match="must end in one of"):
            plots.save_figure(figure, tmp_path / name)


def test_frames_and_labels():
    assert spread_frames(3, 5) == [0, 1, 2]
    assert spread_frames(101, 3) == [0, 25, 100]
    assert readable_height([100.0, 1.0, 2.0]) == pytest.approx(2.6)
    assert readable_height([1.0, 2.0]) == pytest.approx(2.1)
    array = xr.DataArray(0.0, attrs={"units": "x^2/loss", "long_name": "time"})
    assert axis_label(array) == "time  [x²/loss]"


def test_no_pyplot():
    code = "import sys, sgdphys.plots.recognition; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
