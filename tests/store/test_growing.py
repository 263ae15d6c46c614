import numpy as np
import pytest
import xarray as xr

import sgdphys as sp
from sgdphys.errors import StoreError
from sgdphys.store import (
    PlannedArray,
    create_growing_store,
    create_store,
    describe_store,
    resume_growing_store,
    verify,
)


@pytest.fixture
def growing(tmp_path):
    fixed = xr.Dataset({"origin": ("parameter", np.arange(3.0))}, attrs={"sgdphys_format": 1})
    planned = [PlannedArray.named(name) for name in ("line_step", "step_length", "time", "sketch")]
    sizes = {"particle": 2, "bucket": 4}
    rows = {"line": 5, "time": 2}
    return create_growing_store(
        tmp_path / "run", fixed, planned, rows=rows, sizes=sizes, coordinates=["line_step", "time"]
    )


def lines(first, last):
    steps = np.arange(first, last)
    return {"line_step": steps, "step_length": steps[:, None] + np.array([0.0, 0.5])}


def frames(first, last):
    times = np.arange(first, last, dtype=float)
    return {"time": times, "sketch": np.broadcast_to(times[:, None, None], (len(times), 2, 4))}


def assert_holds(path, n_lines, n_frames):
    result = sp.open(path).load()
    assert result.sizes["line"] == n_lines and result.sizes["time"] == n_frames
    np.testing.assert_array_equal(result["line_step"], np.arange(n_lines))
    np.testing.assert_array_equal(result["step_length"][:, 1], np.arange(n_lines) + 0.5)
    np.testing.assert_array_equal(result["sketch"], frames(0, n_frames)["sketch"])
    assert {"line_step", "time"} <= set(result.coords)
    assert verify(path).sound
    return result


def test_rows_count_from_their_commit_on_and_arrays_grow(growing):
    first = 0
    for n_lines, n_frames in ((3, 1), (4, 1), (40, 17), (41, 18)):
        done = growing.lengths
        growing.append("line", lines(done["line"], n_lines))
        growing.append("time", frames(done["time"], n_frames))
        if first:
            assert_holds(growing.path, *first)
        growing.commit()
        first = (n_lines, n_frames)
        assert_holds(growing.path, *first)
    growing.commit(finished=True)
    assert sp.open(growing.path).attrs["complete"] == 1
    assert "complete, 41 along line, 18 along time" in describe_store(growing.path).line


def test_selections_of_a_lazy_store_end_at_the_committed_length(growing):
    growing.append("line", lines(0, 7))
    growing.append("time", frames(0, 3))
    growing.commit()
    growing.append("line", lines(7, 30))
    result = sp.open(growing.path)
    np.testing.assert_array_equal(result["step_length"][4:, 0], [4, 5, 6])
    np.testing.assert_array_equal(result["step_length"][::-2, 0], [6, 4, 2, 0])
    np.testing.assert_array_equal(result["step_length"][[-1, 1], 0], [6, 1])
    np.testing.assert_array_equal(result["step_length"].isel(line=slice(-2, None))[:, 0], [5, 6])


def test_a_writer_that_died_while_arrays_grew_is_taken_up(growing):
    growing.append("line", lines(0, 7))
    growing.append("time", frames(0, 3))
    growing.commit()
    growing.append("line", {name: -values for name, values in lines(7, 30).items()})  # larger, and wrong, uncommitted
    growing._arrays["time"].resize((50,))
    growing.close()
    assert_holds(growing.path, 7, 3)
    with resume_growing_store(growing.path) as again:
        assert again.last("line_step") == 6 and again.lengths == {"line": 7, "time": 3}
        again.append("line", lines(7, 9))
        again.append("time", frames(3, 5))
        again.commit()
    assert_holds(growing.path, 9, 5)


def test_lost_chunks_are_noticed(growing):
    growing.append("line", lines(0, 12))
    growing.append("time", frames(0, 3))
    growing.commit()
    (growing.path / "step_length" / "c" / "1" / "0").unlink()
    assert verify(growing.path).missing == ("step_length/c/1/0",)
    with pytest.raises(StoreError, match="committed chunk is missing"):
        sp.open(growing.path)


def test_what_does_not_fit_is_refused(growing, tmp_path):
    with pytest.raises(StoreError, match="rows of"):
        growing.append("line", {"line_step": np.arange(2)})
    with pytest.raises(StoreError, match="arrays along line need the same number of rows"):  # one row would be repeated
        growing.append("line", {"line_step": np.arange(3), "step_length": np.zeros((1, 2))})
    with pytest.raises(StoreError, match="no committed frame"):
        sp.open(growing.path)
    with pytest.raises(StoreError, match="another process"):
        resume_growing_store(growing.path)
    create_store(tmp_path / "planned", xr.Dataset(attrs={"sgdphys_format": 1}), []).close()
    with pytest.raises(StoreError, match="cannot grow"):
        resume_growing_store(tmp_path / "planned")
    with pytest.raises(StoreError, match="does not exist"):
        create_growing_store(tmp_path / "a" / "b", xr.Dataset(), [], rows={}, sizes={})
