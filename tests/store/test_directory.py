"""What may be replaced, what is left alone, and the line that says so."""

import json
import shutil

import numpy as np
import pytest

import sgdphys as sp
from sgdphys.errors import StoreError
from sgdphys.store import PlannedArray, create_store, describe_store, resume_store, verify


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


@pytest.fixture
def finished(new_run, frames):
    """A complete store."""
    with new_run() as writer:
        writer.append(frames(0, 10))
        writer.finish({"diverged": np.zeros(6, bool)})
    return writer.path


@pytest.mark.parametrize("chunk", ["position/c/0/0/0", "diverged/c/0", "time/c/0"])
def test_a_store_that_lost_a_chunk_is_not_opened(finished, chunk):
    """The wrong variant: zarr reads fill values, and a run looks as if every particle had diverged."""
    (finished / chunk).unlink()
    for read in (sp.open, resume_store):
        with pytest.raises(StoreError, match=f"1 committed chunk is missing .{chunk}.*sgdphys verify.*--overwrite"):
            read(finished)


def test_chunks_that_were_not_committed_may_be_absent(new_run, new_sweep, frames):
    with new_run() as run, new_sweep() as sweep:
        run.append(frames(0, 3))
        sweep.append(frames(0, 4), point=(1, 2))
    assert sp.open(run.path).sizes["time"] == 3
    assert sp.open(sweep.path)["committed_frames"].values[1, 2] == 4


def test_a_damaged_chunk_is_one_clear_line_when_it_is_read(finished):
    (finished / "position/c/0/0/0").write_bytes(b"no zstd frame at all")
    store = sp.open(finished)
    assert not store["diverged"].any()
    with pytest.raises(StoreError, match=r"run\.zarr: a chunk of 'position' cannot be decoded; `sgdphys verify"):
        store["position"].load()


@pytest.mark.parametrize("name", ["position", "diverged", "time"])
@pytest.mark.parametrize(("damage", "message"), [("lost", "is missing"), ("cut", "cannot be read")])
def test_lost_or_cut_metadata_of_an_array_is_named(finished, name, damage, message):
    metadata = finished / name / "zarr.json"
    if damage == "lost":
        shutil.rmtree(finished / name)
    else:
        metadata.write_text(metadata.read_text()[:100])
    for read in (sp.open, resume_store):
        with pytest.raises(StoreError, match=rf"run\.zarr: {name}/zarr\.json {message}; .*--overwrite"):
            read(finished)
    found = verify(finished)
    assert not found.sound
    assert f"{name}/zarr.json" in (*found.missing, *found.corrupt)


def test_cut_metadata_of_the_store_itself_is_named(finished):
    (finished / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match=r"no zarr\.json that can be read; remove the folder"):
        sp.open(finished)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": [99]}, "tells of 99 frames of 10"),
        ({"frames": [-1]}, "tells of -1 frames of 10"),
        ({"frames": [1, 2], "finished": [0, 0], "shape": [2]}, "counts over 1 dimensions, the store has 0"),
        ({"slot": 7}, "names checkpoint 7"),
    ],
)
def test_an_impossible_marker_is_refused(finished, change, message):
    marker = finished / "commit.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | change))
    for read in (sp.open, verify, describe_store, resume_store):
        with pytest.raises(StoreError, match=rf"run\.zarr: commit\.json {message}.*--overwrite"):
            read(finished)


@pytest.mark.parametrize("version", [0, -1, True, "1", None])
def test_a_format_that_never_was_is_refused(finished, version):
    metadata = json.loads((finished / "zarr.json").read_text())
    metadata["attributes"]["sgdphys_format"] = version
    (finished / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(StoreError, match="which no sgdphys ever wrote"):
        sp.open(finished)


def test_every_way_of_indexing_reads_the_same(finished, frames):
    values, position = frames(0, 10)["position"], sp.open(finished)["position"]
    for key in ((3,), (slice(None, None, -2), [1, 4]), ([5, 0], slice(2, 4), -1), (slice(1, 8, 3), 2, [1, 0, 1])):
        padded = (*key, *[slice(None)] * (3 - len(key)))
        picked = [np.atleast_1d(np.arange(length)[part]) for length, part in zip((10, 6, 2), padded, strict=True)]
        found = position[key].values
        np.testing.assert_array_equal(found, values[np.ix_(*picked)].reshape(found.shape))
    np.testing.assert_array_equal(position.load().values, values)
