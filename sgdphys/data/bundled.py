"""Data sets that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LabelledSplit", "data_path", "digits"]

_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDERS = (_PACKAGE / "_data", _PACKAGE.parent / "data")  # in a wheel, in a checkout


class LabelledSplit(NamedTuple):
    """Inputs and integer labels, cut into a training and a test part."""

    train_inputs: NDArray[np.float64]
    train_labels: NDArray[np.int64]
    test_inputs: NDArray[np.float64]
    test_labels: NDArray[np.int64]


def data_path(name: str) -> Path:
    """Return the path of a bundled file.

    Parameters
    ----------
    name
        File name, for example ``"digits.csv.gz"``.

    Returns
    -------
    Path
        Where the file lies.

    Raises
    ------
    FileNotFoundError
        No bundled file has this name.
    """
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"no bundled file {name!r} in {' or '.join(map(str, _FOLDERS))}; reinstall sgdphys")


def digits(n_train: int = 1200, seed: int = 0) -> LabelledSplit:
    """Return the 1797 handwritten digits of 8x8 pixels, scaled to [0, 1] and split at random.

    Parameters
    ----------
    n_train
        Images in the training part, 1 to 1796; the others are the test part.
    seed
        Seed of the permutation ``numpy.random.default_rng(seed).permutation(1797)`` whose first ``n_train`` images are
        for training.

    Returns
    -------
    LabelledSplit
        ``train_inputs`` (n_train, 64) and ``test_inputs`` in [0, 1], ``train_labels`` and ``test_labels`` 0..9.

    Raises
    ------
    ValueError
        ``n_train`` leaves one of the two parts empty.

    References
    ----------
    E. Alpaydin, C. Kaynak, Kybernetika 34 (1998) 369; UCI Machine Learning Repository, doi 10.24432/C50P49 (CC BY 4.0).
    """
    table = np.loadtxt(data_path("digits.csv.gz"), delimiter=",")
    if not 1 <= n_train < len(table):
        raise ValueError(f"n_train must lie between 1 and {len(table) - 1}, got {n_train}")
    order = np.random.default_rng(seed).permutation(len(table))
    inputs, labels = table[order, :-1] / 16.0, table[order, -1].astype(np.int64)
    return LabelledSplit(inputs[:n_train], labels[:n_train], inputs[n_train:], labels[n_train:])
