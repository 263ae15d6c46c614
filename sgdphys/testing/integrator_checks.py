"""The check of an integrator: the orders that it claims."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sgdphys.integrators import UBU, BlockIntegrator, Orders
from sgdphys.testing.fits import OrderFit
from sgdphys.testing.paths import Coarsening, wiener_deviates
from sgdphys.testing.stepping import at_step
from sgdphys.testing.strong import STRONG, strong_fit, underdamped_strong_fit
from sgdphys.testing.weak import WEAK, underdamped_weak_fit, weak_fit

__all__ = ["assert_order", "check_integrator"]

TOLERANCES = {"strong": 0.1, "weak": 0.15}
PROBLEMS: dict[str, Any] = {
    "strong_additive": STRONG["isotropic"],
    "strong_multiplicative": STRONG["D ~ 1 + x^2"],
    "weak_additive": WEAK["isotropic"],
    "weak_multiplicative": WEAK["D(x), Ito"],
}
STEP = 1 / 128


def check_integrator(integrator: Any, *, coarsening: Coarsening = wiener_deviates) -> dict[str, OrderFit]:
    """Check that an integrator converges with the orders that it claims, to the right solution.

    The compiled step runs in one coordinate: strong orders in a double well with constant D and with D ~ 1 + x^2,
    beside an independent or exact solution of the same Brownian paths; weak orders on a circle, without chance. A state
    with velocities is taken for underdamped motion of the integrator's ``friction``.

    Parameters
    ----------
    integrator
        An integrator, or a function that gives it for each dt. With ``deviates_per_channel = 1`` its deviates are
        the increments of the Brownian motion over sqrt(dt); a second set eta gives the integral of W - W_0 over the
        step, dt^(3/2)/2 (xi + eta/sqrt 3).
    coarsening
        Another meaning of the deviates: gives those (step, set * channel, lane) of a stepper that takes ``together``
        steps of the finest Brownian paths in one, see ``sgdphys.testing.paths``.

    Returns
    -------
    dict
        The fit of each claim of ``integrator.orders``.

    Raises
    ------
    AssertionError
        An order is not the one claimed, within 0.1 (strong) or 0.15 (weak), or noise is accepted for which the
        integrator claims nothing.
    """
    scheme: BlockIntegrator = at_step(integrator, STEP)
    claims = {field.name: getattr(scheme.orders, field.name) for field in fields(Orders)}
    fits = {}
    for claim, order in claims.items():
        if order is not None:
            fits[claim] = _fit(integrator, scheme, claim, coarsening)
            assert_order(fits[claim], order, TOLERANCES[claim.partition("_")[0]], f"{scheme.name}, {claim}")
    if claims["strong_multiplicative"] is None and claims["weak_multiplicative"] is None:
        _check_refusal(integrator, scheme)
    return fits


def assert_order(fit: OrderFit, order: float, tolerance: float, what: str) -> None:
    """Raise AssertionError unless the fitted order is the claimed one and its standard error below 0.05."""
    if not abs(fit.order - order) < tolerance:
        raise AssertionError(f"{what}: {fit}, where {order:g} is claimed")
    if not fit.standard_error < 0.05:
        raise AssertionError(f"{what}: {fit}, too uncertain to tell")


def _fit(integrator: Any, scheme: BlockIntegrator, claim: str, coarsening: Coarsening) -> OrderFit:
    strong = claim.startswith("strong")
    try:
        if scheme.rows(1) > 1:
            friction: float = scheme.friction  # type: ignore[attr-defined]
            return underdamped_strong_fit(scheme, UBU(friction)) if strong else underdamped_weak_fit(scheme)
        problem = PROBLEMS[claim]
        return strong_fit(integrator, problem, coarsening) if strong else weak_fit(integrator, problem)
    except ValueError as error:
        raise AssertionError(f"{scheme.name} claims an order for {claim}, and refuses its problem: {error}") from error


def _check_refusal(integrator: Any, scheme: BlockIntegrator) -> None:
    problem = PROBLEMS["weak_multiplicative"]
    try:
        problem.of_dt(integrator)(STEP)
    except ValueError as error:
        if type(scheme).__name__ not in str(error):
            raise AssertionError(f"the refusal must name {type(scheme).__name__}, it says: {error}") from error
        return
    raise AssertionError(f"{scheme.name} claims no order for D(x), and accepts it; refuse it in prepared()")
