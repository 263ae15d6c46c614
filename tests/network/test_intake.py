import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from sgdphys.network.batches import count, leaves
from sgdphys.network.intake import samples_of

KIND = {"device": torch.device("cpu"), "dtype": torch.float64}
INPUTS = np.random.default_rng(0).normal(size=(300, 3))
LABELS = np.arange(300) % 4


class Dictionaries(Dataset):
    def __len__(self):
        return 300

    def __getitem__(self, i):
        return {"input_ids": torch.tensor(INPUTS[i]), "attention_mask": torch.ones(3), "labels": int(LABELS[i])}


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(torch.tensor(INPUTS), torch.tensor(LABELS), strict=True))


class Batches(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        rows = slice(100 * i, 100 * i + 100)
        return torch.tensor(INPUTS[rows]), torch.tensor(LABELS[rows])


PAIRS = TensorDataset(torch.tensor(INPUTS, dtype=torch.float32), torch.tensor(LABELS))
FORMS = {
    "arrays": (INPUTS, LABELS),
    "tensors": (torch.tensor(INPUTS), torch.tensor(LABELS)),
    "lists": [INPUTS.tolist(), LABELS.tolist()],
    "list of batches": [(INPUTS[:200], LABELS[:200]), (INPUTS[200:], LABELS[200:])],
    "data set": PAIRS,
    "loader": DataLoader(PAIRS, batch_size=32),
    "shuffled loader that drops the last batch": DataLoader(PAIRS, batch_size=64, shuffle=True, drop_last=True),
    "loader of a data set of batches": DataLoader(Batches(), batch_size=None, shuffle=True),
    "loader with a sampler of batches": DataLoader(PAIRS, batch_sampler=BatchSampler(RandomSampler(PAIRS), 7, False)),
    "loader with workers": DataLoader(PAIRS, batch_size=32, num_workers=2),
    "stream": Stream(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_all_samples_in_the_order_of_the_data_set(form):
    inputs, targets = samples_of(FORMS[form], None, **KIND)
    assert inputs.dtype == torch.float64 and targets.dtype == torch.int64
    np.testing.assert_allclose(inputs.numpy(), INPUTS, rtol=1e-7)
    np.testing.assert_array_equal(targets.numpy(), LABELS)


def test_a_loader_of_a_subset_gives_the_subset():
    loader = DataLoader(PAIRS, batch_size=2, sampler=SubsetRandomSampler([5, 2, 9]))
    inputs, _ = samples_of(loader, None, **KIND)
    np.testing.assert_allclose(inputs.numpy(), INPUTS[[5, 2, 9]], rtol=1e-7)


def test_reading_leaves_the_random_state():
    before = torch.random.get_rng_state()
    samples_of(DataLoader(PAIRS, batch_size=32, shuffle=True), None, **KIND)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("data", [Dictionaries(), DataLoader(Dictionaries(), batch_size=70, shuffle=True)])
def test_of_dictionaries_the_labels_are_the_targets(data):
    inputs, targets = samples_of(data, None, **KIND)
    assert set(inputs) == {"input_ids", "attention_mask"}
    np.testing.assert_array_equal(inputs["input_ids"].numpy(), INPUTS)
    np.testing.assert_array_equal(targets.numpy(), LABELS)


def test_batches_of_another_form_are_taken_apart_by_to_batch():
    batches = [{"x": INPUTS[:100], "y": LABELS[:100]}, {"x": INPUTS[100:], "y": LABELS[100:]}]
    inputs, targets = samples_of(batches, lambda batch: ((batch["x"], 2 * batch["x"]), batch["y"]), **KIND)
    assert [tuple(leaf.shape) for leaf in leaves(inputs)] == [(300, 3), (300, 3)] and count(targets) == 300
    np.testing.assert_array_equal(inputs[1].numpy(), 2 * INPUTS)


@pytest.mark.parametrize(
    ("data", "to_batch", "message"),
    [
        ({"x": INPUTS, "y": LABELS}, None, "holds x, y and no 'labels'; give to_batch="),
        ((INPUTS, LABELS), lambda batch: batch[0], r"to_batch must return the pair \(inputs, targets\), got ndarray"),
        ([(INPUTS[:9], LABELS[:9]), (INPUTS[:9, :2], LABELS[:9])], None, r"different shapes, \(2,\) and \(3,\); pad"),
        ((INPUTS, LABELS[:9]), None, r"same number of rows, at least one, got shapes \(300, 3\) and \(9,\)"),
        ((INPUTS[:0], LABELS[:0]), None, "at least one"),
        ((INPUTS * np.inf, LABELS), None, "inputs hold NaN or infinity"),
        ((INPUTS, LABELS * np.nan), None, "targets hold NaN or infinity"),
        ((np.array(["a", "b"]), LABELS[:2]), None, "must be numbers, got an array of type <U1; use to_batch="),
        (DataLoader(TensorDataset(torch.zeros(0, 2), torch.zeros(0))), None, "data hold no sample"),
        ("digits", None, r"must be the pair \(inputs, targets\), a Dataset, a DataLoader or batches, got str"),
        (((), LABELS), None, "need at least one array each"),
        ([[], []], None, "must be the pair"),
        (DataLoader(PAIRS, sampler=WeightedRandomSampler([1.0] * 300, 9)), None, "WeightedRandomSampler does not tell"),
        ([(INPUTS, LABELS), ({"x": INPUTS}, LABELS)], None, "batches have different forms"),
        ([({"z": INPUTS}, LABELS), ({"x": INPUTS}, LABELS)], None, "batches have different forms"),
        ([((INPUTS, INPUTS), LABELS), ((INPUTS,), LABELS)], None, "batches have different forms"),
    ],
)
def test_what_makes_no_samples_is_refused(data, to_batch, message):
    with pytest.raises(ValueError, match=message):
        samples_of(data, to_batch, **KIND)
