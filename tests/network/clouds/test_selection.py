import json

import numpy as np
import pytest

from sgdphys import SGD
from sgdphys.network import VarianceAmplifiedDescent, replicas_of, train


def test_the_replicas_of_one_setting_are_a_cloud_of_their_own(perceptron):
    cloud = train(perceptron, [SGD(0.1, 4), SGD(0.2, 8), SGD(0.1, 4)], n_steps=6, seed=[3, 4, 5])
    own = replicas_of(cloud, SGD(0.1, 4))
    assert own.sizes["particle"] == 2 and not {"lr", "batch_size", "momentum"} & set(own.coords)
    np.testing.assert_allclose(own["time"], 0.1 * cloud["step"].values)
    assert own["time"].attrs["units"] == "x^2/loss"
    told = json.loads(own.attrs["configuration"])
    assert (told["sgd"]["lr"], told["sgd"]["batch_size"], told["n_particles"]) == (0.1, 4, 2)
    assert told["seed"] == [3, 5] and told["of_replicas"] == [0, 2]
    np.testing.assert_array_equal(replicas_of(cloud, SGD(0.2, 8))["position"], cloud["position"][:, [1]])


def test_the_time_of_svag_is_that_of_its_substeps(perceptron):
    cloud = train(perceptron, [SGD(0.1, 4), SGD(0.2, 4)], dynamics=VarianceAmplifiedDescent(4), n_steps=8, save_at=2)
    assert replicas_of(cloud, SGD(0.2, 4))["time"].values[-1] == pytest.approx(0.4)


def test_one_learning_rate_has_one_clock(perceptron):
    cloud = train(perceptron, [SGD(0.1, 4), SGD(0.1, 8)], n_steps=6, save_at=2)
    np.testing.assert_allclose(cloud["time"], [0.0, 0.6])
    np.testing.assert_allclose(replicas_of(cloud, SGD(0.1, 8))["time"], [0.0, 0.6])


def test_settings_that_no_replica_has_are_refused(perceptron):
    cloud = train(perceptron, [SGD(0.1, 4), SGD(0.2, 8)], n_steps=2)
    with pytest.raises(ValueError, match=r"no replica of the cloud was trained with SGD\(lr=0.1, batch_size=5"):
        replicas_of(cloud, SGD(0.1, 5))
    with pytest.raises(ValueError, match="trained with a list of settings"):
        replicas_of(train(perceptron, SGD(0.1, 4), n_replicas=2, n_steps=2), SGD(0.1, 4))
    with pytest.raises(ValueError, match="sgd must be settings such as"):
        replicas_of(cloud, 0.1)
