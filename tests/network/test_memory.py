import torch

from sgdphys.network.memory import saved_bytes


def test_saved_bytes_are_what_the_backward_pass_keeps():
    x = torch.ones(1000, dtype=torch.float64, requires_grad=True)
    assert saved_bytes(lambda: x.exp().sum()) == 8000
    assert saved_bytes(lambda: (2 * x).sum()) < 100


def test_activations_are_counted_for_each_sample(perceptron):
    # 3 inputs, 4 hidden values and 3 scores of 8 bytes, some of them twice, and the label
    assert 80 <= perceptron.objective.bytes_per_sample <= 250
