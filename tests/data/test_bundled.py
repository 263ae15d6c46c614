import hashlib

import numpy as np
import pytest

from sgdphys import data


def test_digits_are_the_published_file() -> None:
    content = data.data_path("digits.csv.gz").read_bytes()
    assert hashlib.sha256(content).hexdigest() == "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"


def test_digits_have_the_class_counts_of_the_uci_test_part() -> None:
    split = data.digits()
    labels = np.concatenate([split.train_labels, split.test_labels])
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert split.train_inputs.shape == (1200, 64) and split.test_inputs.shape == (597, 64)
    assert split.train_inputs.min() == 0.0 and split.train_inputs.max() == 1.0


def test_split_is_a_permutation_that_the_seed_decides() -> None:
    first, again, other = data.digits(), data.digits(), data.digits(seed=1)
    assert np.array_equal(first.train_inputs, again.train_inputs)
    assert not np.array_equal(first.train_labels, other.train_labels)
    both = [np.sort(np.concatenate([s.train_inputs, s.test_inputs]).sum(axis=1)) for s in (first, other)]
    assert np.array_equal(*both)


@pytest.mark.parametrize("n_train", [0, 1797, -3])
def test_an_empty_part_is_refused(n_train: int) -> None:
    with pytest.raises(ValueError, match=f"n_train must lie between 1 and 1796, got {n_train}"):
        data.digits(n_train)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"no bundled file 'nothing.csv'"):
        data.data_path("nothing.csv")
