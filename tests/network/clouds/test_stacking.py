import logging

import numpy as np
import pytest
import torch
from network_models import LAYERS, network_with

from sgdphys import SGD
from sgdphys.network import Network, train

NOT_STACKED = {"rnn", "lstm", "gru", "embedding with padding", "write into a fresh tensor"}


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_trains_as_a_loop_of_modules(name, caplog):
    network = network_with(name)
    with caplog.at_level(logging.INFO, "sgdphys"):
        cloud = train(network, SGD(0.1, 4), n_replicas=2, n_steps=4)
    loop = train(network, SGD(0.1, 4), n_replicas=2, n_steps=4, engine="loop")
    np.testing.assert_allclose(cloud["position"], loop["position"], rtol=1e-9, atol=1e-12)
    assert (cloud.attrs["engine"] == "loop") == (name in NOT_STACKED) == ("cannot be stacked" in caplog.text)


def test_the_padding_of_stacked_embeddings_is_noticed():
    # torch's stacked gradient moves the padded row, which no single model does
    network = network_with("embedding with padding")
    with pytest.raises(ValueError, match=r"stacked gradients differ .* use engine='loop'"):
        train(network, SGD(0.1, 4), n_replicas=2, n_steps=4, engine="vectorised")


def test_what_torch_cannot_stack_is_refused_where_it_was_asked_for(classes):
    network = network_with("rnn")
    with pytest.raises(ValueError, match=r"cannot be stacked \(Batching rule .* use engine='loop'"):
        train(network, SGD(0.1, 4), n_replicas=2, n_steps=4, compile=True)
    dropped = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.2), torch.nn.Linear(4, 3))
    network = Network(dropped, torch.nn.CrossEntropyLoss(), classes)
    assert train(network, SGD(0.1, 4), n_replicas=2, n_steps=2).attrs["engine"] == "vectorised"
