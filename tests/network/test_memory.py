import pytest
import torch

from sgdphys.errors import MemoryLimitError
from sgdphys.network.memory import refuse_above_memory, saved_bytes


def test_saved_bytes_are_what_the_backward_pass_keeps():
    x = torch.ones(1000, dtype=torch.float64, requires_grad=True)
    assert saved_bytes(lambda: x.exp().sum()) == 8000
    assert saved_bytes(lambda: (2 * x).sum()) < 100


def test_activations_are_counted_for_each_sample(perceptron):
    # 3 inputs, 4 hidden values and 3 scores of 8 bytes, some of them twice, and the label
    assert 80 <= perceptron.objective.bytes_per_sample <= 250


def test_what_fits_passes_and_what_does_not_is_refused():
    refuse_above_memory(10, "a number", "")
    with pytest.raises(MemoryLimitError, match=r"a wish takes 1e\+06 TB, .* are free; wish less"):
        refuse_above_memory(10**18, "a wish", "wish less")
