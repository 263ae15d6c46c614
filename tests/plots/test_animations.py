"""Films of clouds and densities."""

import itertools

import numpy as np
import pytest
from matplotlib.animation import FFMpegWriter
from PIL import Image

import sgdphys as sp
from sgdphys import plots
from sgdphys.landscapes import Quadratic


@pytest.fixture(scope="module")
def bowl():
    return Quadratic(np.eye(2))


@pytest.fixture(scope="module")
def planes(bowl):
    cloud = sp.simulate(bowl, temperature=0.1, dt=0.02, t1=0.4, n_particles=300, start=[1.0, 0.5], save_at=3)
    grid = sp.Grid([(-2, 2, 30), (-2, 2, 30)])
    return cloud, sp.fokker_planck.evolve(
        bowl, temperature=0.1, grid=grid, start=[1.0, 0.5], times=cloud["time"].values
    )


def _frames(path):
    with Image.open(path) as film:
        pictures = []
        for number in range(film.n_frames):
            film.seek(number)
            pictures.append(np.asarray(film.convert("L"), dtype=float))
    return pictures


@pytest.mark.parametrize("which", ["cloud", "density", "both"])
def test_a_line_moves(which, cloud, density, tmp_path):
    dataset = density if which == "density" else cloud
    path = tmp_path / "film.gif"
    plots.animate(dataset, path, density=density if which == "both" else None, dots_per_inch=40)
    pictures = _frames(path)
    assert len(pictures) == 5
    assert all(np.abs(second - first).max() > 50 for first, second in itertools.pairwise(pictures))
    assert np.abs(pictures[0][:, :20] - pictures[-1][:, :20]).max() < 20, "the axis stays where it is"


@pytest.mark.parametrize("which", ["cloud", "density", "both"])
def test_a_plane_moves(which, planes, bowl, tmp_path):
    cloud, density = planes
    dataset = density if which == "density" else cloud
    path = tmp_path / "film.GIF"
    plots.animate(dataset, path, density=density if which == "both" else None, landscape=bowl, dots_per_inch=40)
    pictures = _frames(path)
    assert len(pictures) == 3
    assert np.abs(pictures[1] - pictures[0]).max() > 50


def test_a_film_needs_ffmpeg(cloud, tmp_path, monkeypatch):
    monkeypatch.setattr(FFMpegWriter, "isAvailable", classmethod(lambda _: False))
    with pytest.raises(ValueError, match="the program ffmpeg, which is not installed: write a"):
        plots.animate(cloud, tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


def test_refusals(cloud, density, planes, tmp_path, stationary):
    path = tmp_path / "film.gif"
    for name in ("film", "film.avi"):
        with pytest.raises(ValueError, match=r"must end in \.gif or \.mp4"):
            plots.animate(cloud, tmp_path / name)
    with pytest.raises(ValueError, match="nowhere' of the animation does not exist"):
        plots.animate(cloud, tmp_path / "nowhere" / "film.gif")
    with pytest.raises(ValueError, match="2 to 400 frames, got 1"):
        plots.animate(stationary, path)
    with pytest.raises(ValueError, match="the density has 1 coordinates, the cloud 2"):
        plots.animate(planes[0], path, density=density)
    with pytest.raises(ValueError, match="must have the same times"):
        plots.animate(cloud, path, density=density.isel(time=[0, 1, 2]))
    with pytest.raises(ValueError, match="give the cloud first"):
        plots.animate(density, path, density=density)
    with pytest.raises(ValueError, match="frames_per_second must be positive"):
        plots.animate(cloud, path, frames_per_second=0)
    with pytest.raises(ValueError, match="a density needs"):
        plots.animate(sp.analysis.entropy(cloud.isel(time=slice(1, None))), path)
    assert list(tmp_path.iterdir()) == []
