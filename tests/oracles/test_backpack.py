import copy
import warnings

import numpy as np
import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    backpack = pytest.importorskip("backpack")
    from backpack import extensions


@pytest.fixture
def extended(case):
    """Return the parameters after one backward pass that BackPACK watches."""
    model, loss = backpack.extend(copy.deepcopy(case.model)), backpack.extend(copy.deepcopy(case.loss))
    watched = (extensions.BatchGrad(), extensions.Variance(), extensions.DiagGGNExact(), extensions.DiagHessian())
    with backpack.backpack(*watched):
        loss(model(case.inputs), case.targets).backward()
    return list(model.parameters())


def flat(tensors):
    return torch.cat([tensor.reshape(-1) for tensor in tensors]).detach().numpy()


def test_per_sample_gradients_are_those_of_backpack(case, extended):
    n = case.network.n_samples
    theirs = torch.cat([p.grad_batch.reshape(n, -1) for p in extended], dim=1) * n  # they hold the mean's 1/N
    case.assert_same(case.network.per_sample_gradients(), theirs.detach().numpy())


def test_the_diagonal_of_the_noise_is_the_variance_of_backpack(case, extended):
    theirs = flat([p.variance for p in extended]) * case.network.n_samples**2  # of g_i / N
    case.assert_same(np.diag(case.network.noise().dense()), theirs)


def test_diagonals_of_curvature_are_those_of_backpack(case, extended):
    for kind, name in (("gauss-newton", "diag_ggn_exact"), ("hessian", "diag_h")):
        ours = case.network.curvature(kind).diagonal()["matrix_diagonal"]
        case.assert_same(ours, flat([getattr(p, name) for p in extended]))
