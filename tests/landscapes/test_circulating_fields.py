import json

import asserts
import numpy as np
import pytest

import sgdphys as sp
from sgdphys import landscapes
from sgdphys.errors import FormulaError
from sgdphys.integrators import BAOAB, ExactOrnsteinUhlenbeck, LeimkuhlerMatthews, TamedEuler
from sgdphys.landscapes import (
    ChaudhariSoatto,
    Driven,
    Expression,
    Field,
    MuellerBrown,
    Quadratic,
    Scaled,
    Sum,
    Tabulated,
    Tilted,
)
from sgdphys.noises import ProportionalToHessian, ProportionalToLoss
from sgdphys.testing import check_landscape

POINTS = np.random.default_rng(0).normal(size=(40, 2))
TURN = np.array([[0.0, -2.0], [2.0, 0.0]])
BOWL = Quadratic(np.diag([1.0, 3.0]))


def test_the_force_is_minus_the_gradient_and_the_circulation():
    field = Field(BOWL, ["-a*y", "b + a*sin(x)"], a=2.0, b=0.5)
    x, y = POINTS.T
    circulation = np.stack([-2 * y, 0.5 + 2 * np.sin(x)], axis=1)
    np.testing.assert_allclose(field.circulation(POINTS), circulation, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(field.gradient(POINTS), BOWL.gradient(POINTS) - circulation, rtol=1e-12, atol=1e-14)
    assert np.array_equal(field.potential(POINTS), BOWL.potential(POINTS))
    expected = np.zeros((40, 2, 2))
    expected[:, 0, 1], expected[:, 1, 0] = -2, 2 * np.cos(x)
    np.testing.assert_allclose(field.circulation_derivative(POINTS), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "field",
    [
        Field(BOWL, TURN),
        2.0 * Field(BOWL, TURN),
        Field(BOWL, TURN) + MuellerBrown() * 0.01,
        MuellerBrown() * 0.01 + Field(BOWL, TURN),
        Tilted(ChaudhariSoatto(), [1.0, -1.0]),
        Field(MuellerBrown() * 0.01, ChaudhariSoatto(0.5)),
        Field(Expression("x0**4 + x1**2"), ["x1", "0"]),
    ],
)
def test_algebra_keeps_base_and_circulation_apart(field):
    check_landscape(field, POINTS)
    assert not hasattr(field.base, "circulation")
    assert field.base.coordinate_names == field.coordinate_names
    assert field.hessian(POINTS).shape == (40, 2, 2)


def test_only_what_circulates_says_so():
    for landscape in (
        BOWL,
        BOWL + BOWL,
        Scaled(BOWL, 2.0),
        Tilted(BOWL, [1.0, 0.0]),
        Tabulated(np.arange(5), np.ones(5)),
    ):
        assert not hasattr(landscape, "circulation") and not hasattr(landscape, "base")
    total = Field(BOWL, TURN) + 3 * Field(BOWL, TURN)
    np.testing.assert_allclose(total.circulation(POINTS), 4 * POINTS @ TURN.T, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(total.base.potential(POINTS), 4 * BOWL.potential(POINTS), rtol=1e-12)


def test_a_linear_circulation_of_equal_curvatures_keeps_the_gibbs_state():
    """The variance of the Euler chain with curvature 1 and turning rate q is T/(1 - dt (1 + q^2)/2)."""
    temperature, dt, n = 0.5, 0.01, 40_000
    field = Field(Quadratic(np.eye(2)), TURN)
    cloud = sp.simulate(field, temperature=temperature, dt=dt, n_steps=800, n_particles=n, save_at=[8.0], seed=1)
    squares = cloud["position"].values[-1] ** 2
    error = squares.std() / np.sqrt(squares.size)
    asserts.assert_within(squares.mean(), temperature / (1 - dt * (1 + 4) / 2), error)
    other = Field(Quadratic(np.eye(2)), np.array([[0.3, -2.0], [2.0, 0.3]]))  # c p has a divergence
    changed = sp.simulate(other, temperature=temperature, dt=dt, n_steps=800, n_particles=n, save_at=[8.0], seed=1)
    asserts.assert_excluded((changed["position"].values[-1] ** 2).mean(), temperature, error)


@pytest.mark.parametrize("integrator", [BAOAB(friction=1.0), LeimkuhlerMatthews(), TamedEuler()])
def test_schemes_that_need_the_gradient_alone_take_fields(integrator):
    """At T = 0 on a parabola that turns: the mean spirals in."""
    cloud = sp.simulate(
        Field(Quadratic(np.eye(2)), 0.5 * TURN), integrator=integrator, temperature=0.0, dt=0.01, t1=2.0,
        n_particles=1, start=[1.0, 0.0], save_at=[2.0],
    )  # fmt: skip
    x, y = cloud["position"].values[-1, 0]
    assert y > 0.05
    if not isinstance(integrator, BAOAB):
        np.testing.assert_allclose([x, y], np.exp(-2) * np.array([np.cos(2), np.sin(2)]), atol=0.02)


def test_the_exact_scheme_of_parabolas_refuses_fields():
    with pytest.raises(ValueError, match="Field"):
        sp.simulate(
            Field(Quadratic(np.eye(2)), TURN), integrator=ExactOrnsteinUhlenbeck(), temperature=0.1, dt=0.1,
            n_steps=2, n_particles=2,
        )  # fmt: skip


def test_noise_of_loss_and_curvature_takes_the_gradient_part():
    field = Field(Quadratic(np.diag([1.0, 3.0]), constant=1.0), TURN)
    for noise in (ProportionalToLoss(), ProportionalToHessian()):
        own, of_base = noise.bound(field), noise.bound(field.base)
        assert np.array_equal(own.diffusion(POINTS), of_base.diffusion(POINTS))


def test_a_field_may_be_driven():
    driven = Driven(Field(BOWL, TURN), Quadratic(np.eye(2)), lambda time: 1 + time)
    frozen = driven.at(1.0)
    np.testing.assert_allclose(frozen.circulation(POINTS), POINTS @ TURN.T, rtol=1e-12, atol=1e-14)
    expected = BOWL.gradient(POINTS) + 2 * POINTS - POINTS @ TURN.T
    np.testing.assert_allclose(frozen.gradient(POINTS), expected, rtol=1e-12, atol=1e-13)


def test_a_run_tells_its_field():
    cloud = sp.simulate(Field(BOWL, ["-y", "x"]), temperature=0.1, dt=0.1, n_steps=2, n_particles=3, save_at=2)
    configuration = json.loads(cloud.attrs["configuration"])["landscape"]
    again = landscapes.restore(configuration)
    assert np.array_equal(again.gradient(POINTS), Field(BOWL, ["-y", "x"]).gradient(POINTS))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Field(BOWL, "x*y"), "formula for each coordinate, in a list"),
        (lambda: Field(BOWL, ["x"]), "circulation has 1 coordinates, the base has 2"),
        (lambda: Field(BOWL, np.eye(3)), "circulation has 3 coordinates, the base has 2"),
        (lambda: Field(BOWL, np.ones((2, 3))), "square matrix"),
        (lambda: Field(BOWL, np.full((2, 2), np.nan)), "circulation must be finite"),
        (lambda: Field(BOWL, TURN, a=1.0), "only formulas have parameters"),
        (lambda: Field(BOWL, BOWL), "has no circulating part"),
        (lambda: Field(Field(BOWL, TURN), TURN), "no circulating part of its own"),
        (lambda: Field(Driven(BOWL, BOWL, 1.0), TURN), "use Driven"),
        (lambda: Field("x**2", ["x"]), "base must be a landscape"),
    ],
)
def test_what_is_no_field_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_formulas_are_refused():
    with pytest.raises(FormulaError, match="uses the parameter b"):
        Field(BOWL, ["a*x", "y"], a=1.0, b=2.0)
    with pytest.raises(FormulaError, match="2 formulas, but they name 3 coordinates"):
        Field(BOWL, ["z", "y"])


def test_sums_of_gradient_landscapes_have_no_base():
    with pytest.raises(AttributeError, match="has no base"):
        _ = Sum(BOWL, BOWL).base
