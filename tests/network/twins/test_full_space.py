import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys import SGD, theory
from sgdphys.network import Network
from sgdphys.network.twins.full_space import full_twin_of
from sgdphys.network.twins.quadratic import twin_of


@pytest.fixture
def small(perceptron):
    return perceptron.minimum(tolerance=1e-9)


def test_with_all_noise_the_predicted_variance_is_that_of_the_network(small):
    twin = full_twin_of(small, 5, noise_rank=30)
    hessian, covariance = small.curvature().dense(), small.noise().dense()
    np.testing.assert_allclose(twin.noise.diffusion(small.parameters[None])[0], covariance, atol=1e-12)
    own = twin.landscape.hessian(small.parameters[None])[0]
    V = twin.landscape.directions
    np.testing.assert_allclose(own @ V, hessian @ V, atol=1e-8)
    exact, reached = (np.trace(np.linalg.solve(H, covariance)) for H in (hessian, own))
    assert reached == pytest.approx(exact, rel=1e-9)
    # to first order in lr that is the trace of the discrete solution
    sgd = SGD(1e-4, 10)
    S = theory.stationary_covariance(own, covariance, sgd)["stationary_covariance"]
    assert np.trace(S) == pytest.approx(exact * sgd.temperature, rel=1e-3)
    assert abs(twin.missed_noise) < 1e-9
    assert abs(twin.missed_variance) < 1e-9


def test_what_it_misses_is_what_the_dense_matrices_say(small):
    with pytest.warns(RuntimeWarning, match="the twin misses"):
        twin = full_twin_of(small, 4, noise_rank=3, rest=0.3)
    F, own = twin.noise.factor, twin.landscape.hessian(small.parameters[None])[0]
    covariance = small.noise().dense()
    exact = np.trace(np.linalg.solve(small.curvature().dense(), covariance))
    assert twin.missed_noise == pytest.approx(1 - np.sum(F**2) / np.trace(covariance), abs=1e-10)
    assert twin.missed_variance == pytest.approx(1 - np.trace(np.linalg.solve(own, F @ F.T)) / exact, abs=1e-9)
    assert f"misses {twin.missed_noise:.1%} of tr C and {twin.missed_variance:.1%} of the predicted" in repr(twin)


def test_the_cloud_lives_in_parameter_space_and_has_the_discrete_covariance(small):
    twin = full_twin_of(small, 5, noise_rank=30)
    sgd = SGD(0.5, 5)
    own, covariance = twin.landscape.hessian(small.parameters[None])[0], small.noise().dense()
    exact = theory.stationary_covariance(own, covariance, sgd)["stationary_covariance"].values
    cloud = sp.simulate(*twin, sgd=sgd, n_steps=2000, n_particles=8000, save_at=1)
    V = twin_of(small, 5).landscape
    seen = sp.analysis.project(cloud, V)["position"].values[-1]
    variance, predicted = seen.var(axis=0), np.diag(V.basis.T @ exact @ V.basis)
    assert_within(variance, predicted, predicted * (2 / 8000) ** 0.5)
    assert_excluded(variance, 2 * predicted, predicted * (2 / 8000) ** 0.5)
    whole = cloud["position"].values[-1]
    total = np.sum((whole - small.parameters) ** 2, axis=1)
    assert_within(total.mean(), np.trace(exact), total.std() / 8000**0.5)


def test_real_and_simulated_clouds_are_compared_along_any_directions(small):
    twin, leading = full_twin_of(small, 5, noise_rank=30), twin_of(small, 5).landscape
    settings = {"sgd": SGD(0.05, 10), "n_steps": 800, "save_at": [20.0, 30.0, 40.0]}
    clouds = sp.train(small, n_replicas=300, **settings), sp.simulate(*twin, n_particles=2000, **settings)
    result = sp.analysis.compare(*(sp.analysis.project(cloud, leading) for cloud in clouds), after=20.0)
    assert_within(result["variance_ratio"], 1.0, result["variance_ratio_standard_error"])
    np.testing.assert_array_equal(clouds[1]["origin"], small.parameters)
    assert clouds[0].sizes["coordinate"] == clouds[1].sizes["coordinate"]


def few_samples(targets):
    rng = np.random.default_rng(0)
    model = torch.nn.Linear(20, 1, bias=False)
    return Network(model, torch.nn.MSELoss(), (rng.normal(size=(5, 20)), targets), weight_decay=0.1)


@pytest.mark.parametrize("rank", [5, 8])
def test_where_all_noise_lies_along_the_eigenvectors_the_rest_stays_stable(rank):
    network = few_samples(np.arange(5.0)[:, None]).minimum(1e-9)
    twin = full_twin_of(network, rank)
    assert twin.landscape.rest == pytest.approx(twin.landscape.curvatures[-1])  # else a ratio of roundings, often < 0
    assert abs(twin.missed_variance) < 1e-9


def test_no_noise_makes_no_twin():
    network = few_samples(np.zeros((5, 1)))
    with pytest.raises(ValueError, match="all samples have the same gradient"):
        full_twin_of(network.at(np.zeros(20)), 3)


def test_ranks_and_curvatures_that_make_no_twin_are_refused(small, perceptron):
    with pytest.raises(ValueError, match="rank must lie between 1 and 30"):
        full_twin_of(small, 31)
    with pytest.raises(ValueError, match="rest must be positive"):
        full_twin_of(small, 5, rest=0.0)
    with pytest.warns(RuntimeWarning, match="not at a minimum"), pytest.raises(ValueError, match="no stationary state"):
        full_twin_of(perceptron, 30)
