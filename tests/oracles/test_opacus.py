import copy
import warnings

import numpy as np
import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    grad_sample = pytest.importorskip("opacus.grad_sample")


@pytest.fixture
def rows(case):
    """Return the gradients of all samples (sample, parameter) by the hooks of opacus."""
    model = grad_sample.GradSampleModule(copy.deepcopy(case.model), loss_reduction="mean")
    case.loss(model(case.inputs), case.targets).backward()
    gradients = [p.grad_sample.reshape(len(case.inputs), -1) for p in model.parameters()]
    return torch.cat(gradients, dim=1).detach().numpy()


def test_per_sample_gradients_are_those_of_opacus(case, rows):
    case.assert_same(case.network.per_sample_gradients(), rows)


def test_the_noise_is_the_covariance_of_the_gradients_of_opacus(case, rows):
    case.assert_same(case.network.noise().dense(), np.cov(rows.T, bias=True))


def test_the_second_moment_is_that_of_the_gradients_of_opacus(case, rows):
    case.assert_same(case.network.curvature("empirical-fisher").dense(), rows.T @ rows / len(rows))
