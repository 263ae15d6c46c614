import json

import numpy as np
import pytest
import torch
from asserts import assert_same_bits

from sgdphys import SGD, SGDSchedule
from sgdphys.errors import StoreError
from sgdphys.network import Network, train
from sgdphys.network.clouds.continuation import refuse_another_run


def shuffled(batch_size, lr=0.1):
    """Return settings with shuffled epochs."""
    return SGD(lr, batch_size, sampling="shuffle")


@pytest.fixture
def other(perceptron, classes):
    """Return a network like the classifier, with one input moved by 1e-9."""
    inputs = classes[0].copy()
    inputs[3, 1] += 1e-9
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
    network = Network(model, torch.nn.CrossEntropyLoss(), (inputs, classes[1]), weight_decay=0.02)
    return network.at(perceptron.parameters)


def test_a_store_of_other_data_is_not_gone_on_with(perceptron, other, tmp_path):
    settings = {"n_replicas": 2, "n_steps": 5, "store": tmp_path / "cloud"}
    cloud = train(perceptron, SGD(0.1, 4), **settings).load()
    with pytest.raises(StoreError, match=r"another run, with another network \(data\); choose another store="):
        train(other, SGD(0.1, 4), resume=True, **settings)
    with pytest.raises(StoreError, match=r"another run, with another sgd; "):
        train(perceptron, SGD(0.2, 4), resume=True, **settings)
    assert_same_bits(train(perceptron, SGD(0.1, 4), resume=True, **settings).load(), cloud)


def test_a_store_without_digests_is_gone_on_with(perceptron, tmp_path):
    here = train(perceptron, SGD(0.1, 4), n_replicas=2, n_steps=2).attrs["configuration"]
    told = json.loads(here)
    del told["network"]["digests"]
    refuse_another_run(tmp_path, json.dumps(told), here)
    told["network"]["n_samples"] = 31
    with pytest.raises(StoreError, match=r"network \(n_samples\)"):
        refuse_another_run(tmp_path, json.dumps(told), here)
    with pytest.raises(StoreError, match="another run"):
        refuse_another_run(tmp_path, None, here)


def test_a_cloud_of_another_network_goes_on_with_a_warning(perceptron, other):
    cloud = train(perceptron, SGD(0.1, 4), n_replicas=2, n_steps=2)
    with pytest.warns(RuntimeWarning, match=r"another network \(data\)"):
        train(other, SGD(0.1, 4), start=cloud, n_steps=2)


@pytest.mark.parametrize("sgd", [shuffled(5), [shuffled(4), shuffled(5)], SGDSchedule([(shuffled(5), 30)])])
def test_a_shuffled_order_is_not_taken_up_elsewhere(perceptron, sgd):
    cloud = train(perceptron, shuffled(4), n_replicas=2, n_steps=10)  # 7 batches make an epoch, 28 of 30 samples
    with pytest.raises(ValueError, match=r"after 12 samples of epoch 1.* after 20 of epoch 1; give sgd=SGDSchedule"):
        train(perceptron, sgd, start=cloud, n_steps=5)


def test_a_shuffled_order_goes_on_by_a_schedule_or_with_a_new_epoch(perceptron):
    schedule = SGDSchedule([(shuffled(4), 10), (shuffled(5), 6)])
    cloud = train(perceptron, shuffled(4), n_replicas=2, n_steps=10, save_at=1)
    rest = train(perceptron, schedule, start=cloud, save_at=1)
    np.testing.assert_array_equal(rest["position"], train(perceptron, schedule, n_replicas=2, save_at=1)["position"])
    whole = train(perceptron, shuffled(5), n_replicas=2, n_steps=30, save_at=1)  # five epochs of six steps
    train(perceptron, shuffled(6), start=whole, n_steps=2)  # where the seventh of five steps begins
