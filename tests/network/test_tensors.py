import numpy as np
import pytest
import torch

from sgdphys.network.tensors import like, to_tensor, usable_device

KIND = {"device": torch.device("cpu"), "dtype": torch.float64}


def test_floating_values_are_cast_and_integers_kept():
    assert to_tensor(np.ones(2, np.float32), **KIND).dtype == torch.float64
    assert to_tensor(np.arange(2), **KIND).dtype == torch.int64
    assert to_tensor([1.5, 2.0], **KIND).tolist() == [1.5, 2.0]


def test_the_graph_of_a_tensor_is_left_behind():
    assert not to_tensor(torch.ones(2, requires_grad=True), **KIND).requires_grad


def test_read_only_and_strided_arrays_are_taken():
    array = np.arange(12.0).reshape(3, 4)[:, ::2]
    array.flags.writeable = False
    assert to_tensor(array, **KIND).tolist() == array.tolist()


def test_results_are_of_the_kind_that_was_given():
    result = torch.ones(2)
    assert isinstance(like(np.ones(1), result), np.ndarray) and isinstance(like(None, result), np.ndarray)
    assert isinstance(like(torch.ones(1), result), torch.Tensor)


@pytest.mark.parametrize("name", ["no-such-device", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(ValueError, match=f"device '{name}' cannot be used: .*; leave it out for the CPU"):
        usable_device(name)


def test_the_default_device_is_the_cpu():
    assert usable_device(None) == torch.device("cpu")
