import numpy as np
import pytest

from sgdphys.landscapes import DoubleWell, Expression, Field, Linear, MuellerBrown, Quadratic, Scaled, Sum, Tilted

X = np.random.default_rng(0).normal(size=(200, 1))


class Bare:
    """A landscape of the protocol without curvature and configuration."""

    dim = 1

    def __init__(self):
        self.inner = DoubleWell()
        self.potential, self.gradient = self.inner.potential, self.inner.gradient
        self.potential_terms, self.gradient_terms = self.inner.potential_terms, self.inner.gradient_terms


def test_sum_adds():
    parts = (DoubleWell(), Quadratic(3.0, constant=1.0), Expression("sin(x)"))
    for field in ("potential", "gradient", "hessian"):
        expected = sum(getattr(part, field)(X) for part in parts)
        np.testing.assert_allclose(getattr(Sum(*parts), field)(X), expected, rtol=1e-13, atol=1e-13)


def test_factor_multiplies_and_keeps_critical_points():
    surface = MuellerBrown()
    scaled = 0.1 * surface
    np.testing.assert_allclose(scaled.potential(surface.minima), 0.1 * surface.potential(surface.minima), rtol=1e-14)
    assert np.array_equal(scaled.minima, surface.minima)
    assert len(Scaled(surface, -1.0).minima) == 0


def test_tilt_is_a_gradient_not_a_force():
    """A positive slope raises the right side; as a force it would lower it."""
    tilted = Tilted(DoubleWell(), 0.2)
    np.testing.assert_allclose(tilted.gradient(X), DoubleWell().gradient(X) + 0.2, rtol=1e-14)
    high, low = tilted.potential(np.array([[1.0], [-1.0]]))
    assert high - low == pytest.approx(0.4)


def test_composing_compiles_nothing_new():
    well = DoubleWell()
    composed = Tilted(3 * (well + Quadratic(1.0)), 0.5)
    kernels = {term.kernel for term in composed.gradient_terms()}
    known = {term.kernel for part in (well, Quadratic(1.0), Linear(1.0)) for term in part.gradient_terms()}
    assert kernels == known
    assert [term.factor for term in composed.gradient_terms()] == [3.0, 3.0, 1.0]


def test_coordinates_keep_the_names_of_the_first_part():
    assert (Expression("x0**2 + x1**2") + Quadratic(np.eye(2))).coordinate_names == ("x0", "x1")


def test_embedding_survives_composition():
    embedded = Quadratic(np.eye(2), origin=np.zeros(3), basis=np.eye(3)[:, :2])
    assert set(Tilted(embedded, [1.0, 0.0]).variables()) == {"origin", "basis"}


def test_any_landscape_of_the_protocol_may_take_part():
    total = Sum(Bare(), Quadratic(1.0))
    np.testing.assert_allclose(total.gradient(X), DoubleWell().gradient(X) + X, rtol=1e-13, atol=1e-15)
    assert total.configuration()["parts"][0]["landscape"].endswith("Bare")
    with pytest.raises(ValueError, match="Bare has no hessian"):
        total.hessian(X)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sum(), "at least one"),
        (lambda: Sum(DoubleWell(), MuellerBrown()), "one dimension"),
        (lambda: Sum(DoubleWell(), 3.0), "a landscape has"),
        (lambda: Scaled(DoubleWell(), np.nan), "factor must be finite"),
        (lambda: Tilted(DoubleWell(), [1.0, 2.0]), "slope must have the shape"),
        (lambda: Tilted(DoubleWell(), np.inf), "slope must be finite"),
        (lambda: Linear([[1.0]]), "slope must have the shape"),
    ],
)
def test_what_does_not_compose_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_operators_refuse_other_things():
    with pytest.raises(TypeError):
        DoubleWell() + 1
    with pytest.raises(TypeError):
        DoubleWell() * "2"


def test_slopes_are_shown_in_one_line():
    assert repr(Linear([1.0, -2.0])) == "Linear([1.0, -2.0])"
    assert repr(Tilted(Quadratic(np.eye(40)), np.ones(40))) == "Tilted(Quadratic(dim=40), slope of 40 coordinates)"


@pytest.mark.parametrize("factor", [None, "2", [1.0], 1j, np.nan, np.inf, True])
def test_factors_that_are_no_numbers_are_refused(factor):
    with pytest.raises(ValueError, match="factor must be finite, got"):
        Scaled(DoubleWell(), factor)


def test_circulating_parts_of_sums_and_multiples_have_their_factors():
    """Values, derivatives and gradient parts of 2.5 times a field, beside another field in a sum."""
    x = np.random.default_rng(1).normal(size=(20, 2))
    one = Field(Quadratic(np.diag([1.0, 2.0])), ["-y**3", "x*y"])
    other = Field(Quadratic(np.eye(2)), [[0.0, 1.0], [-1.0, 0.0]])
    for field, parts in ((2.5 * one, [(one, 2.5)]), (Sum(2.5 * one, other), [(one, 2.5), (other, 1.0)])):
        for name in ("circulation", "circulation_derivative"):
            expected = sum(factor * getattr(part, name)(x) for part, factor in parts)
            np.testing.assert_allclose(getattr(field, name)(x), expected, rtol=1e-12, atol=1e-13)
        expected = sum(factor * part.base.gradient(x) for part, factor in parts)
        np.testing.assert_allclose(field.base.gradient(x), expected, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(field.gradient(x), field.base.gradient(x) - field.circulation(x), atol=1e-12)


def test_hessians_of_multiples_have_their_factor():
    np.testing.assert_allclose((3.0 * DoubleWell()).hessian(X), 3.0 * DoubleWell().hessian(X), rtol=1e-12)
