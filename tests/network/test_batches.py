import torch

from sgdphys.network.batches import count, leaves, map_leaves, take

TREE = {"a": torch.arange(12.0).reshape(4, 3), "b": (torch.arange(4), torch.eye(4))}


def test_some_samples_are_taken_from_every_tensor():
    part = take(TREE, slice(1, 3))
    assert torch.equal(part["a"], TREE["a"][1:3]) and torch.equal(part["b"][1], torch.eye(4)[1:3])
    chosen = take(TREE, torch.tensor([[3, 0], [1, 1]]))
    assert torch.equal(chosen["b"][0], torch.tensor([[3, 0], [1, 1]])) and chosen["a"].shape == (2, 2, 3)
    assert torch.equal(chosen["a"][0, 1], TREE["a"][0])


def test_trees_are_counted_and_mapped():
    assert count(TREE) == 4 and len(leaves(TREE)) == 3
    doubled = map_leaves(lambda leaf: 2 * leaf, TREE)
    assert torch.equal(doubled["b"][0], 2 * TREE["b"][0]) and isinstance(doubled["b"], tuple)
