"""Image sets in their original files, found through the environment variable ``SGDPHYS_DATA``."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.checks import whole_number
from sgdphys.data.bundled import LabelledSplit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cifar10", "fashion_mnist", "mnist"]

_VARIABLE = "SGDPHYS_DATA"
_HEADER = 8  # bytes: magic number and number of items, then four for each further axis


def mnist(n_train: int | None = None, n_test: int | None = None, *, size: int = 28) -> LabelledSplit:
    """Return MNIST: 60,000 and 10,000 handwritten digits.

    Parameters
    ----------
    n_train, n_test
        How many of the first images; default all.
    size
        Pixels along an edge: 28, or 14 and 7 by averages of blocks.

    Returns
    -------
    LabelledSplit
        Inputs (image, 1, size, size) in [0, 1], labels 0..9.

    Raises
    ------
    FileNotFoundError
        ``SGDPHYS_DATA`` is not set, or the files are not there.
    ValueError
        More images than there are, or another size.

    References
    ----------
    LeCun, Bottou, Bengio & Haffner 1998, Proc. IEEE 86, 2278.
    """
    return _idx_split("mnist", n_train, n_test, size)


def fashion_mnist(n_train: int | None = None, n_test: int | None = None, *, size: int = 28) -> LabelledSplit:
    """Return Fashion-MNIST: 60,000 and 10,000 pictures of ten kinds of clothes; arguments and result as ``mnist``.

    Parameters
    ----------
    n_train, n_test
        How many of the first images; default all.
    size
        Pixels along an edge: 28, 14 or 7.

    Returns
    -------
    LabelledSplit
        Inputs (image, 1, size, size) in [0, 1], labels 0..9.

    References
    ----------
    Xiao, Rasul & Vollgraf 2017 (arXiv 1708.07747).
    """
    return _idx_split("fashion-mnist", n_train, n_test, size)


def cifar10(n_train: int | None = None, n_test: int | None = None) -> LabelledSplit:
    """Return a part of CIFAR-10 in original pixels: 8,068 and 1,017 of its images, all ten classes.

    Parameters
    ----------
    n_train, n_test
        How many of the first images; default all of the part.

    Returns
    -------
    LabelledSplit
        Inputs (image, 3, 32, 32) in [0, 1], labels 0..9.

    References
    ----------
    Krizhevsky 2009, "Learning multiple layers of features from tiny images", technical report.
    """
    with np.load(_file("cifar10", "cifar10-small.npz")) as arrays:
        images = [np.moveaxis(arrays[name], -1, 1) / 255.0 for name in ("x_train", "x_test")]
        labels = [arrays[name].astype(np.int64) for name in ("y_train", "y_test")]
    return _cut(images, labels, n_train, n_test)


def _idx_split(folder: str, n_train: int | None, n_test: int | None, size: int) -> LabelledSplit:
    if size not in {28, 14, 7}:
        raise ValueError(f"size must be 28, 14 or 7, got {size!r}")
    images, labels = [], []
    for part in ("train", "t10k"):
        pixels = _read_idx(_file(folder, f"{part}-images-idx3-ubyte.gz"))
        blocks = pixels.reshape(len(pixels), 1, size, 28 // size, size, 28 // size)
        images.append(blocks.mean(axis=(3, 5)) / 255.0)
        labels.append(_read_idx(_file(folder, f"{part}-labels-idx1-ubyte.gz")).astype(np.int64))
    return _cut(images, labels, n_train, n_test)


def _cut(images: list[Any], labels: list[Any], n_train: int | None, n_test: int | None) -> LabelledSplit:
    parts: list[Any] = []
    for name, count, pictures, numbers in zip(("n_train", "n_test"), (n_train, n_test), images, labels, strict=True):
        if count is not None and whole_number(name, count) > len(pictures):
            raise ValueError(f"{name} must not exceed the {len(pictures)} images there are, got {count}")
        parts += [np.ascontiguousarray(pictures[:count]), numbers[:count]]
    return LabelledSplit(*parts)


def _file(folder: str, name: str) -> Path:
    root = os.environ.get(_VARIABLE)
    if not root:
        raise FileNotFoundError(f"{_VARIABLE} is not set; let it name the folder that holds {folder}/{name}")
    path = Path(root) / folder / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; {_VARIABLE} must name the folder that holds {folder}/{name}")
    return path


def _read_idx(path: Path) -> NDArray[np.uint8]:
    with gzip.open(path) as stream:
        content = stream.read()
    n_axes = content[3]
    shape = np.frombuffer(content, ">i4", count=n_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=_HEADER + 4 * (n_axes - 1)).reshape(shape)
