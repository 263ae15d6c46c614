"""The sentence at the end of the table, which follows from its judgements alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sgdphys.network.validity.judgements import AGREES, DISAGREES, UNRESOLVED, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sgdphys.network.validity.judgements import Row
    from sgdphys.sgd import SGD

__all__ = ["verdict_of"]


def verdict_of(rows: Sequence[Row], sgd: SGD, tolerance: float, n_directions: int, dim: int) -> str:
    """Return the verdict in one sentence.

    In this order: lr lambda_max beyond the stability limit, or replicas that left: not stationary. A run shorter than
    the slowest direction needs: not equilibrated, nothing is judged. Squares that change from the early to the late
    frames, or a fluctuation-dissipation ratio that disagrees with 1: not stationary. Variances that disagree with the
    exact map at constant noise: stationary, but hotter or colder than the quadratic theory; the cause is noise that
    differs in the cloud from that at the point, by as much as the variances, or else the loss is anharmonic. Variances
    too uncertain for either: whether it is stationary, but no temperature. Variances that agree with the map on the
    average, but not in single directions. Variances that agree with the map, whose temperature by the equation does
    not: the map, not its Langevin limit. Both agree: Langevin at T, within the difference and twice its error. After it
    stand what disagrees among G/N, SVAG and tails, what is not resolved of stationarity, whether the state is thermal
    (Phi proportional to the loss) along the stiffest directions, and a start that was no minimum or a saddle.

    Parameters
    ----------
    rows
        Of the table.
    sgd
        Complete settings.
    tolerance
        Relative difference that counts as agreement.
    n_directions, dim
        How many were looked at, of how many.

    Returns
    -------
    str
        Without a final stop.
    """
    row = {one.key: one for one in rows}
    ill = _not_judged(row)
    if ill:
        return ill + _start(row)
    variance, state = row["variance"], _state(row)
    over = (
        f" on the average of {n_directions} of {dim} directions"
        if n_directions > 1
        else f" along one direction of {dim}"
    )
    over = over if dim > 1 else ""
    if variance.judgement == UNRESOLVED:
        return (
            f"{state}; temperature not resolved at a tolerance of {tolerance:.0%}: variances "
            f"{variance.value:.3g} +- {variance.error:.2g} of the quadratic theory{over}; more replicas tell"
        ) + _objections(row)
    if variance.judgement == DISAGREES:
        warmth = "hotter" if variance.value > 1 else "colder"
        percent = f"{abs(variance.value - 1):.0%}"
        main = f"{state} but {percent} {warmth} than the quadratic theory{over}: {_cause(row, tolerance)}"
    elif row["variance_spread"].judgement == DISAGREES:
        main = (
            f"{state}, with the variances of the exact map{over}, but not in each: they differ by "
            f"{row['variance_spread'].value:.0%} (rms)"
        )
    elif sgd.sampling == "shuffle":
        main = f"{state} as the theory of epoch shuffling says, within {_bound(variance)}{over}; no temperature"
    else:
        main = _temperature(row, over, state)
    return main + _objections(row) + _thermal(row, sgd, tolerance) + _start(row)


def _not_judged(row: dict[str, Row]) -> str:
    stiffness = row["stiffness"]
    if stiffness.judgement == DISAGREES:
        return (
            f"not stationary: lr lambda_max = {stiffness.value:.3g} is above the limit {stiffness.expected:.3g}; "
            f"take less than {stiffness.expected / stiffness.value:.3g} of this lr"
        )
    if row["diverged"].judgement != AGREES:
        return "not stationary: replicas left for infinity"
    steps = row["equilibration"]
    if steps.judgement == DISAGREES:
        return (
            f"NOT EQUILIBRATED: {steps.value:.0f} steps before measuring, the slowest direction needs "
            f"{steps.expected:.0f}; nothing follows from the rows: leave n_steps out, or take "
            f"{math.ceil(3 * steps.expected)}"
        )
    change, relation = row["change"], row["fluctuation_dissipation"]
    if change.judgement == DISAGREES:
        return f"not stationary: <y^2> changes by {change.value:+.0%} while it is measured"
    if relation.judgement == DISAGREES:
        return f"not stationary: fluctuation-dissipation ratio {relation.value:.3g}"
    return ""


def _state(row: dict[str, Row]) -> str:
    unknown = UNRESOLVED in {row["change"].judgement, row["fluctuation_dissipation"].judgement}
    return "stationary (not resolved)" if unknown else "stationary"


def _cause(row: dict[str, Row], tolerance: float) -> str:
    """Return what the quadratic theory with constant noise misses: noise that grows, or what is left when it has."""
    noise = row["noise_growth"]
    known = f"its noise is {noise.value:.3g} times that at the point"
    beside = _beside_noise(row, tolerance)
    if beside == AGREES:
        return known
    if beside == UNRESOLVED:
        return "its noise differs, or it is anharmonic (not resolved)"
    return f"anharmonic, and {known}" if noise.judgement == DISAGREES else "anharmonic"


def _beside_noise(row: dict[str, Row], tolerance: float) -> str:
    """Return whether the variances are as a quadratic loss has them, given the noise of the cloud."""
    variance, noise = row["variance"], row["noise_growth"]
    if noise.reason or math.isnan(noise.value):
        return UNRESOLVED
    error = math.hypot(variance.error, noise.error * variance.value / noise.value) / noise.value
    return judge(variance.value / noise.value, error, 1.0, tolerance, errors=variance.errors)


def _temperature(row: dict[str, Row], over: str, state: str) -> str:
    heat, along = row["effective_temperature"], row["largest_discretisation"]
    within = f"{state} as the exact map within {_bound(row['variance'])}{over}"
    at = f"Langevin at T = {heat.expected:.3g} within {_bound(heat, heat.expected)}"
    single = f" ({along.value - 1:+.0%} by lr lambda along one)" if along.judgement == DISAGREES else ""
    if heat.judgement == AGREES:
        return f"{at}{over}{single}"
    if heat.judgement == DISAGREES:
        return (
            f"{within}, not as its Langevin limit: variances {heat.value / heat.expected - 1:+.0%} of those at "
            f"T = {heat.expected:.3g}, {row['discretisation'].value - 1:+.0%} by lr lambda"
        )
    return f"{within}; {at}, not resolved{single}"


def _objections(row: dict[str, Row]) -> str:
    named = {"gradient_over_noise": "G/N", "variance_amplified": "SVAG", "tail_index": "tails"}
    against = [name for key, name in named.items() if row[key].judgement == DISAGREES]
    text = f"; against it: {', '.join(against)}" if against else ""
    relation, change = row["fluctuation_dissipation"], row["change"]
    if relation.judgement == UNRESOLVED:
        text += f"; fluctuation-dissipation ratio {relation.value:.3g} +- {relation.error:.2g} not resolved"
    if change.judgement == UNRESOLVED:
        text += f"; change of <y^2> {change.value:+.0%} +- {change.error:.0%} not resolved"
    return text


def _thermal(row: dict[str, Row], sgd: SGD, tolerance: float) -> str:
    """Return whether Phi is the loss along the stiffest directions; only a quadratic loss has a known answer."""
    distance = row["potential_distance"]
    quadratic = AGREES in {row["variance"].judgement, _beside_noise(row, tolerance)}
    if sgd.sampling == "shuffle" or not quadratic:
        return ""
    if distance.judgement == DISAGREES:
        return f"; not thermal: Phi is not the loss (distance {distance.value:.2g} T)"
    if distance.judgement != AGREES or row["lowest_curvature"].judgement == DISAGREES:
        return ""
    uneven = DISAGREES in {row["participation_ratio"].judgement, row["escape_ratio"].judgement}
    return "; thermal along the stiffest directions: Phi is the loss up to a scale" + (
        ", but the noise as a whole is not isotropic" if uneven else ""
    )


def _start(row: dict[str, Row]) -> str:
    least = row["lowest_curvature"]
    text = "; the start was no minimum" if row["minimum"].judgement == DISAGREES else ""
    if least.judgement == DISAGREES:
        text += f"; the point is a saddle, with a curvature of {least.value:.2g} lambda_max"
    elif least.judgement == UNRESOLVED:
        text += "; some directions may be flat, and no state is stationary along them"
    return text


def _bound(row: Row, unit: float = 1.0) -> str:
    """Return the difference from the expected value and its error, as many percent or more."""
    bound = (abs(row.value - row.expected) + row.errors * row.error) / unit
    return f"{math.ceil(100 * bound - 1e-6) / 100:.0%}"  # but for rounding
