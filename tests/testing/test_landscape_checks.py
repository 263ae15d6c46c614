"""The check of a landscape passes ours and names what is wrong with others."""

import numpy as np
import pytest

from sgdphys.kernels import FieldKernel
from sgdphys.landscapes import ChaudhariSoatto, DoubleWell, Expression, Field, MuellerBrown, Quadratic
from sgdphys.testing import check_landscape

POINTS = np.random.default_rng(0).normal(size=(12, 1))


def changed(**members):
    """Return a double well with one thing changed."""
    return type("Changed", (DoubleWell,), members)()


def overwrite(x, parameters, factor, out):
    for lane in range(x.shape[1]):
        out[0, lane] = factor * (x[0, lane] ** 3 - x[0, lane])


def overwriting_terms(self):
    (term,) = DoubleWell().gradient_terms()
    return (type(term)(FieldKernel(overwrite), term.parameters),)


WRONG = {
    "return the gradient, not the force": {"gradient": lambda self, x: -DoubleWell().gradient(x)},
    "not the derivative of the potential": {"gradient": lambda self, x: 1.01 * DoubleWell().gradient(x)},
    "Hessian is not the derivative": {"hessian": lambda self, x: 2 * DoubleWell().hessian(x)},
    "minima must have no gradient": {"minima": np.array([[0.9]])},
    "saddles must curve down in 1 directions": {"saddles": np.array([[1.0]])},
    r"gradient_terms\(\) differ": {
        "gradient_terms": lambda self: Expression("x**4").gradient_terms(),
        "gradient": lambda self, x: DoubleWell().gradient(x),
    },
    "must add factor times": {"gradient_terms": overwriting_terms},
}


def test_ours_pass():
    check_landscape(DoubleWell(), POINTS)
    check_landscape(MuellerBrown(), np.random.default_rng(1).normal(scale=0.5, size=(12, 2)))


@pytest.mark.parametrize("message", WRONG)
def test_wrong_ones_are_told_apart(message):
    with pytest.raises(AssertionError, match=message):
        check_landscape(changed(**WRONG[message]), POINTS)


class Turned(ChaudhariSoatto):
    """A field whose gradient has the wrong sign of the circulation."""

    def gradient_terms(self):
        return (*self.base.gradient_terms(), *self.circulation_terms())


class Pushed(Field):
    """A field whose potential is not that of its base."""

    def potential_terms(self):
        return tuple(term.scaled(2.0) for term in self.base.potential_terms())


def test_a_circulating_part_is_checked():
    plane = np.random.default_rng(1).normal(size=(12, 2))
    check_landscape(ChaudhariSoatto(), plane)
    with pytest.raises(AssertionError, match="not that of the base minus the circulation"):
        check_landscape(Turned(), plane)
    with pytest.raises(AssertionError, match="the potential is not that of the base"):
        check_landscape(Pushed(Quadratic(np.eye(2)), np.eye(2)), plane)


def test_what_is_no_landscape_is_told():
    with pytest.raises(AssertionError, match="lacks members"):
        check_landscape(object(), POINTS)
    with pytest.raises(AssertionError, match="shape"):
        check_landscape(DoubleWell(), np.zeros((3, 2)))
