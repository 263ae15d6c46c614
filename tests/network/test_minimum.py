import numpy as np
import pytest
import torch

from sgdphys.network import Network


def test_digits_minimum_is_the_calibrated_one(digits):
    assert digits.residual_gradient_norm < 1e-7
    assert digits.loss_value == pytest.approx(0.4181, abs=0.005)  # it depends a little on the starting weights


def test_least_squares_minimum_is_exact(line):
    assert line(start=3.0).minimum().parameters == pytest.approx([0.64], abs=1e-7)
    ridge = line(start=3.0, weight_decay=0.4375).minimum(tolerance=1e-12)
    assert ridge.parameters == pytest.approx([0.5], abs=1e-11)  # 1 / (1.5625 + 0.4375)


def test_newton_steps_reach_what_the_quasi_newton_steps_cannot(perceptron):
    low = perceptron.minimum(tolerance=1e-13)
    assert low.residual_gradient_norm < 1e-13
    assert np.linalg.eigvalsh(low.hessian())[0] > 0


def test_the_original_stays_where_it_was(perceptron):
    before = perceptron.parameters.copy()
    perceptron.minimum()
    assert np.array_equal(perceptron.parameters, before)


def test_separable_classes_without_weight_decay_are_said_to_have_no_minimum():
    inputs = np.array([[-1.0], [1.0]])
    network = Network(torch.nn.Linear(1, 2), torch.nn.CrossEntropyLoss(), (inputs, np.array([0, 1])))
    with pytest.warns(RuntimeWarning, match="the minimum was not reached: gradient norm .* weight_decay > 0"):
        network.minimum(tolerance=1e-12, max_iterations=5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"tolerance": 0.0}, "tolerance must be positive"), ({"max_iterations": 0}, "max_iterations must be a pos")],
)
def test_settings_that_make_no_sense_are_refused(perceptron, settings, message):
    with pytest.raises(ValueError, match=message):
        perceptron.minimum(**settings)
