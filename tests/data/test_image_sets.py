import gzip
import os

import numpy as np
import pytest

from sgdphys import data

SETS = pytest.mark.skipif("SGDPHYS_DATA" not in os.environ, reason="SGDPHYS_DATA does not name the image sets")


@SETS
@pytest.mark.parametrize(
    ("load", "counts"),
    [
        (data.mnist, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
        (data.fashion_mnist, [1000] * 10),
        (data.cifar10, [105, 93, 100, 104, 92, 87, 114, 102, 110, 110]),
    ],
)
def test_the_test_parts_hold_the_published_numbers_of_each_class(load, counts):
    split = load(n_train=10)
    assert np.bincount(split.test_labels).tolist() == counts
    assert split.train_inputs.shape[1:] == ((3, 32, 32) if load is data.cifar10 else (1, 28, 28))
    assert split.test_inputs.min() == 0 and split.test_inputs.max() == 1


@SETS
def test_smaller_pictures_are_averages_of_blocks():
    large, small = (data.mnist(5, 5, size=size).train_inputs for size in (28, 7))
    np.testing.assert_allclose(small[3, 0, 2, 4], large[3, 0, 8:12, 16:20].mean(), rtol=1e-12)


def write_idx(path, array):
    path.parent.mkdir(exist_ok=True)
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    with gzip.open(path, "wb") as stream:
        stream.write(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(256, size=(6, 28, 28))
    for part in ("train", "t10k"):
        write_idx(tmp_path / "mnist" / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / "mnist" / f"{part}-labels-idx1-ubyte.gz", np.arange(6))
    monkeypatch.setenv("SGDPHYS_DATA", str(tmp_path))
    return images


def test_files_are_read_in_order(folder):
    split = data.mnist(4)
    np.testing.assert_array_equal(split.train_inputs[:, 0] * 255, folder[:4])
    assert split.train_labels.tolist() == [0, 1, 2, 3] and len(split.test_labels) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_train": 7}, "n_train must not exceed the 6 images there are, got 7"),
        ({"n_test": 0}, "n_test must be a positive integer|n_test must be"),
        ({"size": 10}, "size must be 28, 14 or 7, got 10"),
    ],
)
def test_wrong_numbers_are_refused(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        data.mnist(**arguments)


def test_missing_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SGDPHYS_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"cifar10-small\.npz is not there; SGDPHYS_DATA must name"):
        data.cifar10()
    monkeypatch.delenv("SGDPHYS_DATA")
    with pytest.raises(FileNotFoundError, match="SGDPHYS_DATA is not set"):
        data.cifar10()
