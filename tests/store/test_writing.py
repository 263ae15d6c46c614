"""What was appended comes back, cut at the commit; a point resumes where it was left."""

import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys.errors import StoreError
from sgdphys.store import describe_store, resume_store, save_dataset

NO_ONE_DIVERGED = {"diverged": np.zeros(6, bool)}


def test_round_trip(new_run, frames):
    with new_run() as writer:
        writer.append(frames(0, 10))
        writer.finish(NO_ONE_DIVERGED)
    dataset = sp.open(writer.path)
    np.testing.assert_array_equal(dataset["position"], frames(0, 10)["position"])
    assert dataset["position"].attrs["units"] == "x"
    assert dataset["position"].dims == ("time", "particle", "coordinate")
    assert set(dataset.coords) == {"time", "step", "coordinate"}
    assert list(dataset["coordinate"].values) == ["x", "y"]
    assert dataset.attrs["configuration"] == '{"seed": 1}'
    assert dataset.attrs["complete"] == 1
    assert dataset["diverged"].dtype == bool


def test_float32_storage(new_run, frames):
    with new_run(dtype="float32") as writer:
        writer.append(frames(0, 10))
        writer.finish(NO_ONE_DIVERGED)
    assert sp.open(writer.path)["position"].dtype == np.float32


def test_a_reader_sees_only_committed_frames(new_run, frames):
    writer = new_run()
    writer.append(frames(0, 4))
    writer.commit()
    writer.append(frames(4, 7))  # held back
    dataset = sp.open(writer.path)
    assert dataset.sizes["time"] == 4
    assert "diverged" not in dataset  # written at the end
    np.testing.assert_array_equal(dataset["position"], frames(0, 4)["position"])
    assert dataset.attrs["complete"] == 0
    writer.close()
    assert sp.open(writer.path).sizes["time"] == 7


def test_appended_memory_may_be_reused(new_run, frames):
    with new_run() as writer:
        buffer = frames(0, 1)
        for k in range(10):
            buffer["position"][...] = frames(k, k + 1)["position"]
            writer.append(buffer)
        writer.finish(NO_ONE_DIVERGED)
    np.testing.assert_array_equal(sp.open(writer.path)["position"], frames(0, 10)["position"])


def test_ctrl_c_commits_what_was_appended(new_run, frames):
    writer = new_run()

    def interrupted():
        with writer:
            writer.append(frames(0, 3))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sp.open(writer.path).sizes["time"] == 3


def test_resume_goes_on_with_the_state_of_the_last_commit(new_run, frames):
    with new_run() as writer:
        for k in range(5):
            writer.append(frames(k, k + 1), state={"position": np.full(3, float(k)), "step": np.array(k)})
            writer.commit()
    with resume_store(writer.path) as again:
        assert again.frames() == 5
        state = again.state()
        assert state["step"] == 4
        np.testing.assert_array_equal(state["position"], np.full(3, 4.0))
        again.append(frames(5, 10))
        again.finish(NO_ONE_DIVERGED)
        assert again.state() is None
    np.testing.assert_array_equal(sp.open(writer.path)["position"], frames(0, 10)["position"])


def test_points_of_a_sweep_are_committed_separately(new_sweep, frames):
    with new_sweep() as writer:
        writer.append(frames(0, 10, 0), point=(0, 0))
        writer.finish(NO_ONE_DIVERGED, point=(0, 0))
        writer.append(frames(0, 4, 5), point=(1, 2), state={"step": np.array(3)})
    dataset = sp.open(writer.path)
    assert dataset["position"].dims == ("temperature", "seed", "time", "particle", "coordinate")
    np.testing.assert_array_equal(dataset["position"].sel(temperature=0.1, seed=0), frames(0, 10)["position"])
    last = dataset["position"].sel(temperature=0.2, seed=2).values
    np.testing.assert_array_equal(last[:4], frames(0, 4, 5)["position"])
    assert np.isnan(last[4:]).all()
    np.testing.assert_array_equal(dataset["committed_frames"], [[10, 0, 0], [0, 0, 4]])
    with resume_store(writer.path) as again:
        assert again.finished((0, 0))
        assert again.state((1, 1)) is None
        assert again.state((1, 2))["step"] == 3
    assert "unfinished, 1 of 6 points" in describe_store(writer.path).line


def test_a_complete_sweep_is_read_lazily(new_sweep, frames):
    with new_sweep() as writer:
        for number, point in enumerate(np.ndindex(2, 3)):
            writer.append(frames(0, 10, number), point=point)
            writer.finish(NO_ONE_DIVERGED, point=point)
    dataset = sp.open(writer.path)
    assert not dataset["position"].variable._in_memory
    assert dataset["position"].isel(temperature=1, seed=1, time=2, particle=3, coordinate=1) == 402.503


def test_two_writers_are_refused(new_run):
    with new_run() as writer, pytest.raises(StoreError, match="another process is writing"):
        resume_store(writer.path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda writer, frames: writer.append({"velocity": frames(0, 1)["position"]}), "are expected, got"),
        (lambda writer, frames: writer.append(frames(0, 11)), "planned for 10 frames, got 11"),
        (lambda writer, frames: writer.finish(), "are expected, got"),
    ],
)
def test_wrong_arrays_are_refused(new_run, frames, call, message):
    with new_run() as writer, pytest.raises(StoreError, match=message):
        call(writer, frames)


def test_a_finished_dataset(tmp_path):
    density = xr.Dataset(
        {"density": (("time", "x"), np.arange(6.0).reshape(2, 3), {"units": "1/x^dim"})},
        {"time": [0.0, 1.0], "x": [0.1, 0.2, 0.3]},
        {"sgdphys_format": 1, "configuration": "{}"},
    )
    save_dataset(tmp_path / "density.zarr", density)
    read = sp.open(tmp_path / "density.zarr")
    assert read.attrs.pop("complete") == 1
    xr.testing.assert_identical(read.load(), density)
    with pytest.raises(StoreError, match="exists already"):
        save_dataset(tmp_path / "density.zarr", density)
