"""What may be replaced, what is left alone, and the line that says so."""

import json

import numpy as np
import pytest

import sgdphys as sp
from sgdphys.errors import StoreError
from sgdphys.store import PlannedArray, create_store, verify


def test_an_existing_store_is_not_overwritten(new_run, frames):
    with new_run() as writer:
        writer.append(frames(0, 3))
    with pytest.raises(StoreError, match=r"unfinished, 3 of 10 frames.*--overwrite.*replaces.*--resume.*continues"):
        new_run()
    assert sp.open(writer.path).sizes["time"] == 3


def test_overwrite_replaces_a_store(new_run, frames, tmp_path):
    with new_run() as writer:
        writer.append(frames(0, 3))
    with new_run(overwrite=True) as writer:
        writer.append(frames(0, 1))
    assert sp.open(writer.path).sizes["time"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.zarr"]


@pytest.mark.parametrize("kind", ["folder", "file", "link", "other zarr"])
def test_what_is_not_ours_is_never_removed(new_run, tmp_path, kind):
    path = tmp_path / "precious"
    if kind == "file":
        path.write_text("precious")
    elif kind == "link":
        (tmp_path / "real").mkdir()
        path.symlink_to(tmp_path / "real")
    else:
        path.mkdir()
        content = {"attributes": {"another": 1}} if kind == "other zarr" else {}
        (path / "zarr.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match="is not a sgdphys store; it is left as it is"):
        new_run(path, overwrite=True)
    assert path.exists()


def test_nothing_committed_yet(new_run):
    with new_run() as writer:
        pass
    with pytest.raises(StoreError, match="holds no committed frame yet"):
        sp.open(writer.path)


@pytest.mark.parametrize("read", [sp.open, verify])
def test_unreadable_places(new_run, tmp_path, read):
    with pytest.raises(StoreError, match="there is no store at"):
        read(tmp_path / "missing.zarr")
    with pytest.raises(StoreError, match="is not a sgdphys store"):
        read(tmp_path)
    with pytest.raises(StoreError, match="must not be empty"):
        read("")


@pytest.mark.parametrize("read", [sp.open, verify])
def test_a_newer_format_is_refused(new_run, frames, read):
    with new_run() as writer:
        writer.append(frames(0, 1))
    metadata = json.loads((writer.path / "zarr.json").read_text())
    metadata["attributes"]["sgdphys_format"] = 99
    (writer.path / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(StoreError, match="format 99, newer than 1"):
        read(writer.path)


@pytest.mark.parametrize(("content", "message"), [(None, "has lost commit.json"), ("{", "commit.json cannot be read")])
def test_a_damaged_marker_is_named(new_run, content, message):
    with new_run() as writer:
        pass
    marker = writer.path / "commit.json"
    marker.unlink() if content is None else marker.write_text(content)
    with pytest.raises(StoreError, match=message):
        sp.open(writer.path)


def test_a_missing_folder_and_an_unknown_variable(new_run, tmp_path):
    with pytest.raises(StoreError, match="does not exist; make it first"):
        new_run(tmp_path / "nowhere" / "run.zarr")
    with pytest.raises(ValueError, match=r"not in sgdphys\.schema"):
        PlannedArray.named("teperature")


def test_every_error_is_one_line(new_run, tmp_path):
    for path in (tmp_path / "missing", tmp_path, ""):
        with pytest.raises(StoreError) as caught:
            sp.open(path)
        assert "\n" not in str(caught.value)


def test_chunks_follow_frames_and_particles(tmp_path):
    import xarray as xr
    import zarr

    fixed = xr.Dataset(coords={"time": np.arange(200.0), "coordinate": ["x"]}, attrs={"sgdphys_format": 1})
    for n_particles, chunks in ((100, (64, 100, 1)), (30_000, (64, 16384, 1)), (5_000_000, (1, 1 << 20, 1))):
        with create_store(
            tmp_path / str(n_particles), fixed, [PlannedArray.named("position")], sizes={"particle": n_particles}
        ) as writer:
            assert zarr.open_group(str(writer.path), mode="r")["position"].chunks == chunks
