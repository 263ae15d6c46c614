"""Fitted strong and weak orders of every integrator with every kind of noise, and of wrong ones, which must fail."""

import numpy as np
import pytest
from scipy import linalg

import sgdphys as sp
from sgdphys import noises
from sgdphys.integrators import (
    BAOAB,
    OBABO,
    SRA1,
    UBU,
    EulerMaruyama,
    ExactOrnsteinUhlenbeck,
    LeimkuhlerMatthews,
    Milstein,
    ModifiedEquation,
    PlatenWeak2,
    StochasticGradient,
    StochasticHeun,
    TamedEuler,
    VarianceAmplifiedGradient,
)
from sgdphys.integrators.convergence_table import integrator_classes
from sgdphys.kernels.multiplicative_steps import milstein_step
from sgdphys.kernels.settings import DT, TEMPERATURE
from sgdphys.testing import check_integrator
from sgdphys.testing.axes import circle
from sgdphys.testing.circles import expectation
from sgdphys.testing.fits import fit_order
from sgdphys.testing.integrator_checks import assert_order
from sgdphys.testing.paths import wiener_deviates
from sgdphys.testing.stepping import stepper
from sgdphys.testing.strong import STRONG, strong_fit, underdamped_strong_fit
from sgdphys.testing.weak import (
    WEAK,
    observable,
    stationary_fit,
    underdamped_stationary_fit,
    underdamped_weak_fit,
    weak_fit,
)

LR = 1 / 8
FRICTION = 1.5


def amplified(dt):
    """SVAG approaches its equation as l grows at constant lr."""
    return VarianceAmplifiedGradient(substeps=round(LR / dt))


def modified(dt):
    """The scheme of the modified equation, here of first order in lr, refines a step of SGD by substeps."""
    return ModifiedEquation(order=1, substeps=round(LR / dt))


OVERDAMPED = {
    EulerMaruyama: EulerMaruyama(),
    LeimkuhlerMatthews: LeimkuhlerMatthews(),
    Milstein: Milstein(),
    ModifiedEquation: modified,
    PlatenWeak2: PlatenWeak2(),
    SRA1: SRA1(),
    StochasticGradient: StochasticGradient(),
    StochasticHeun: StochasticHeun(),
    TamedEuler: TamedEuler(),
    VarianceAmplifiedGradient: amplified,
}
UNDERDAMPED = [BAOAB, OBABO, UBU]
SEPARABLE_ONLY = {Milstein, PlatenWeak2}
DIAGONAL_ONLY = {StochasticHeun, *SEPARABLE_ONLY}
ALWAYS = {"isotropic", "D ~ x^2", "D ~ 1 + x^2, Stratonovich", "D(x), Ito", "D(x), Haenggi-Klimontovich"}


def claimed(part, problem, kind):
    """Return the order that an integrator claims for a problem; None where it refuses or claims none."""
    noise = problem.noise(1.0)
    order = getattr(part.orders, f"{kind}_{'additive' if noise.additive else 'multiplicative'}")
    tensor = not noise.additive and not noise.diagonal
    if (tensor and part in DIAGONAL_ONLY) or (not problem.separable and part in SEPARABLE_ONLY):
        return None
    if kind == "weak" and part.ahead and problem.landscape.dim > 1:
        return None  # quadrature over deviates of two steps in two coordinates is too much
    return min(order, 0.5) if order and kind == "strong" and not problem.separable else order


def cases(problems, kind):
    """Return all pairs of integrator and problem; what repeats a kind of noise in more coordinates is slow."""
    for part in OVERDAMPED:
        for name, problem in problems.items():
            if claimed(part, problem, kind) is not None:
                always = name in ALWAYS or (name == "full" and part in {EulerMaruyama, SRA1})
                marks = () if always else (pytest.mark.slow,)
                yield pytest.param(part, name, marks=marks, id=f"{part.__name__}-{name}")


def test_every_integrator_is_here():
    assert {*OVERDAMPED, *UNDERDAMPED, ExactOrnsteinUhlenbeck} == set(integrator_classes())


@pytest.mark.parametrize(("part", "name"), list(cases(STRONG, "strong")))
def test_strong_order(part, name):
    fit = strong_fit(OVERDAMPED[part], STRONG[name])
    assert_order(fit, claimed(part, STRONG[name], "strong"), 0.1, f"{part.__name__}, {name}")


@pytest.mark.parametrize(("part", "name"), list(cases(WEAK, "weak")))
def test_weak_order(part, name):
    fit = weak_fit(OVERDAMPED[part], WEAK[name])
    assert_order(fit, claimed(part, WEAK[name], "weak"), 0.15, f"{part.__name__}, {name}")


@pytest.mark.parametrize("part", UNDERDAMPED)
def test_orders_of_underdamped_splittings(part):
    """All three on the same Brownian paths, which UBU with the finest steps follows."""
    scheme, orders = part(FRICTION), part.orders
    assert_order(underdamped_strong_fit(scheme, UBU(FRICTION)), orders.strong_additive, 0.1, part.__name__)
    assert_order(underdamped_weak_fit(scheme), orders.weak_additive, 0.15, part.__name__)


@pytest.mark.parametrize(
    ("fit", "order"),
    [
        (lambda: stationary_fit(LeimkuhlerMatthews(), WEAK["isotropic"]), 2),
        (lambda: stationary_fit(EulerMaruyama(), WEAK["isotropic"]), 1),
        *((lambda part=part: underdamped_stationary_fit(part(FRICTION)), 2) for part in UNDERDAMPED),
    ],
    ids=["LeimkuhlerMatthews", "EulerMaruyama", "BAOAB", "OBABO", "UBU"],
)
def test_order_of_stationary_averages(fit, order):
    assert_order(fit(), order, 0.15, "stationary")


def refusals():
    for part, scheme in OVERDAMPED.items():
        if part.orders.weak_multiplicative is None:
            yield pytest.param(part, scheme, "D(x), Ito", id=f"{part.__name__}-D(x)")
        elif part in DIAGONAL_ONLY:
            yield pytest.param(part, scheme, "full D(x)", id=f"{part.__name__}-full")


@pytest.mark.parametrize(("part", "scheme", "name"), list(refusals()))
def test_noise_beyond_the_claims_is_refused_by_name(part, scheme, name):
    with pytest.raises(ValueError, match=rf"{part.__name__}.*Formula"):
        WEAK[name].of_dt(scheme)(1 / 16)


def test_exact_ornstein_uhlenbeck_has_no_error_at_any_step():
    """Mean and covariance of one step from the images of unit deviates, against Van Loan's exponential."""
    hessian, diffusion, dt = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[1.0, 0.4], [0.4, 0.5]]), 1.3
    landscape = sp.landscapes.Quadratic(hessian)
    scheme = stepper(ExactOrnsteinUhlenbeck(), landscape, noises.Full(diffusion), temperature=0.3, dt=dt)
    root = scheme.advance(np.zeros((2, 2)), np.eye(2)[np.newaxis])
    propagator = scheme.advance(np.eye(2), np.zeros((1, 2, 2)))
    zero = np.zeros((2, 2))
    whole = linalg.expm(dt * np.block([[hessian, 0.6 * diffusion], [zero, -hessian]]))
    np.testing.assert_allclose(propagator, whole[2:, 2:], atol=1e-12)
    np.testing.assert_allclose(root @ root.T, whole[2:, 2:] @ whole[:2, 2:], atol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_modified_equations_follow_sgd_to_their_order_in_lr(order):
    """E phi of both after unit time, from every point of a circle, with a gradient noise of variance 1."""
    landscape, axes, rates = sp.landscapes.Expression("cos(x)/2"), [circle(41)], [1 / 32, 1 / 64, 1 / 128, 1 / 256]
    values = observable(axes[0].points)

    def means(scheme, lr):
        dt = lr / scheme.substeps
        fitted = stepper(scheme, landscape, noises.Isotropic(1.0), temperature=lr / 2, dt=dt)
        return expectation(fitted, axes, values, round(1 / dt))

    errors = [[np.abs(means(StochasticGradient(), lr) - means(ModifiedEquation(order, 8), lr)).max()] for lr in rates]
    assert_order(fit_order(rates, np.array(errors)), order, 0.15, f"order {order} in lr")


class WrongSign(Milstein):
    """Milstein's scheme with the opposite correction."""

    @property
    def step(self):
        return wrong_milstein_step


def wrong_milstein_step(before, after, dim, fields, kick, normals, settings, place, scratch):
    milstein_step(before, after, dim, fields, kick, normals, settings, place, scratch)
    slope = scratch[0][:dim]
    for row in range(dim):
        for lane in range(before.shape[1]):
            xi = np.float64(normals[row, lane])
            after[row, lane] -= slope[row, lane] * settings[TEMPERATURE] * settings[DT] * (xi * xi - 1.0)


class ReadAsIto(StochasticHeun):
    """Heun's scheme without the drift that an Ito equation needs."""

    interpretation = "ito"


class WholeKicks(OBABO):
    """OBABO whose two parts of friction and noise last a whole step each."""

    noisy_parts = 1


class Boastful(EulerMaruyama):
    orders = SRA1.orders


def independent_integrals(stepper, paths, together):
    """The integrals of another path than that of the increments."""
    deviates = wiener_deviates(stepper, paths, together)
    half = deviates.shape[1] // 2
    other = np.random.default_rng(5).standard_normal(deviates[:, half:].shape)
    return np.concatenate([deviates[:, :half], other], axis=1)


def unshared_deviates(stepper, paths, together):
    """Deviates of another path altogether."""
    return np.random.default_rng(6).standard_normal(wiener_deviates(stepper, paths, together).shape)


WRONG = {
    "Milstein with the wrong sign": lambda: (strong_fit(WrongSign(), STRONG["D ~ 1 + x^2"]), 1.0),
    "Heun read as Ito, paths": lambda: (strong_fit(ReadAsIto(), STRONG["D ~ 1 + x^2"]), 1.0),
    "Heun read as Ito, averages": lambda: (weak_fit(ReadAsIto(), WEAK["D(x), Ito"]), 1.0),
    "SRA1 with integrals of another path": lambda: (
        strong_fit(SRA1(), STRONG["isotropic"], independent_integrals),
        1.5,
    ),
    "Euler-Maruyama on other paths": lambda: (strong_fit(EulerMaruyama(), STRONG["isotropic"], unshared_deviates), 1.0),
    "Euler-Maruyama as a scheme of second order": lambda: (weak_fit(EulerMaruyama(), WEAK["isotropic"]), 2.0),
    "OBABO with kicks of a whole step": lambda: (underdamped_weak_fit(WholeKicks(FRICTION)), 2.0),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_scheme_fails(name):
    fit, order = WRONG[name]()
    with pytest.raises(AssertionError, match="claimed"):
        assert_order(fit, order, 0.15, name)
    assert abs(fit.order - order) > 0.35


def test_a_check_names_the_claim_that_fails():
    with pytest.raises(AssertionError, match=r"Boastful, strong_additive: order 1\.\d+ .* where 1\.5 is claimed"):
        check_integrator(Boastful())


def test_check_accepts_what_is_right():
    fits = check_integrator(StochasticHeun())
    assert fits["weak_additive"].order == pytest.approx(2, abs=0.15)
    assert check_integrator(LeimkuhlerMatthews())["strong_additive"].order == pytest.approx(0.5, abs=0.1)
