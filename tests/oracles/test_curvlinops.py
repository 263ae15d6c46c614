import warnings

import numpy as np
import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    curvlinops = pytest.importorskip("curvlinops")

MATRICES = {
    "hessian": "HessianLinearOperator",
    "gauss-newton": "GGNLinearOperator",
    "fisher": "GGNLinearOperator",
    "empirical-fisher": "EFLinearOperator",
}


@pytest.mark.parametrize("kind", MATRICES)
def test_matrices_are_those_of_curvlinops(case, kind):
    pieces = [(case.inputs[:10], case.targets[:10]), (case.inputs[10:], case.targets[10:])]
    theirs = getattr(curvlinops, MATRICES[kind])(case.model, case.loss, case.parameters, pieces)
    columns = np.random.default_rng(1).normal(size=(case.network.dim, 4))
    expected = (theirs @ case.inputs.new_tensor(columns)).numpy()
    if kind == "empirical-fisher" and isinstance(case.loss, torch.nn.MSELoss):
        expected /= 3  # theirs is of the sum over the three outputs and averages its products, not its gradients
    case.assert_same(case.network.curvature(kind).matvec(columns), expected)


def test_the_monte_carlo_fisher_matrix_tends_to_the_exact_one(case):
    if case.tolerance > 1e-6:
        pytest.skip("the draws err more than float32")
    data = [(case.inputs, case.targets)]
    options = {"mc_samples": 4000, "check_deterministic": False}
    drawn = curvlinops.FisherMCLinearOperator(case.model, case.loss, case.parameters, data, **options)
    columns = np.random.default_rng(1).normal(size=(case.network.dim, 2))
    expected = case.network.curvature("fisher").matvec(columns)
    found = (drawn @ case.inputs.new_tensor(columns)).numpy()
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)
