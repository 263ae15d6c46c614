"""The sentence at the end of the table, which follows from its judgements alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sgdphys.network.validity.judgements import AGREES, DISAGREES, ERRORS, UNRESOLVED, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sgdphys.network.validity.judgements import Row
    from sgdphys.sgd import SGD

__all__ = ["verdict_of"]


def verdict_of(rows: Sequence[Row], sgd: SGD, tolerance: float) -> str:
    """Return the verdict in one sentence.

    In this order: lr lambda_max beyond the stability limit, or replicas that left: not stationary. A run shorter than
    the slowest direction needs: not equilibrated, nothing is judged. Squares that change from the early to the late
    frames, or a fluctuation-dissipation ratio that disagrees with 1: not stationary. Variances that disagree with the
    exact map at constant noise: stationary, but hotter or colder than the quadratic theory; the cause is a tr C that
    differs in the cloud from that at the point, or else the loss is anharmonic. Variances that agree with the map,
    whose temperature by the equation does not: the map, not its Langevin limit. Both agree: Langevin at T, within the
    difference and twice its error. After it stand a fluctuation-dissipation ratio that is not resolved, G/N, SVAG or
    tails that disagree, whether the state is thermal (Phi proportional to the loss), and a start that was no minimum.

    Parameters
    ----------
    rows
        Of the table.
    sgd
        Complete settings.
    tolerance
        Relative difference that counts as agreement.

    Returns
    -------
    str
        Without a final stop.
    """
    row = {one.key: one for one in rows}
    ill = _not_judged(row)
    if ill:
        return ill
    variance = row["variance"]
    percent = f"{abs(variance.value - 1):.0%}"
    if variance.judgement == DISAGREES:
        warmth = "hotter" if variance.value > 1 else "colder"
        cause = _cause(row, tolerance)
        return f"stationary but {percent} {warmth} than the quadratic theory: {cause}" + _objections(row)
    if variance.judgement == UNRESOLVED:
        return (
            f"stationary; variances {variance.value:.3g} +- {variance.error:.2g} of the quadratic theory, not resolved "
            f"at a tolerance of {tolerance:.0%}: more replicas"
        ) + _objections(row)
    within = f"{_bound(variance.value - 1, variance.error):.0%}"
    if sgd.sampling == "shuffle":
        return f"stationary as the theory of epoch shuffling says, within {within}; no temperature" + _objections(row)
    return _temperature(row, within) + _objections(row)


def _not_judged(row: dict[str, Row]) -> str:
    stiffness = row["stiffness"]
    if stiffness.judgement == DISAGREES:
        return f"not stationary: lr lambda_max = {stiffness.value:.3g} is above the limit {stiffness.expected:.3g}"
    if row["diverged"].judgement != AGREES:
        return "not stationary: replicas left for infinity"
    steps = row["equilibration"]
    if steps.judgement == DISAGREES:
        return (
            f"NOT EQUILIBRATED: {steps.value:.0f} steps before measuring, the slowest direction needs "
            f"{steps.expected:.0f}; nothing is judged"
        )
    change, relation = row["change"], row["fluctuation_dissipation"]
    if change.judgement == DISAGREES:
        return f"not stationary: <y^2> changes by {change.value:+.0%} while it is measured" + _away(row)
    if relation.judgement == DISAGREES:
        return f"not stationary: fluctuation-dissipation ratio {relation.value:.3g}" + _away(row)
    return ""


def _cause(row: dict[str, Row], tolerance: float) -> str:
    """Return what the quadratic theory with constant noise misses: noise that grows, or what is left when it has."""
    variance, noise = row["variance"], row["noise_growth"]
    if noise.judgement != DISAGREES:
        return "anharmonic"
    rest, error = variance.value / noise.value, math.hypot(variance.error, noise.error) / noise.value
    known = f"its noise is {noise.value:.3g} times that at the point"
    return known if judge(rest, error, 1.0, tolerance) == AGREES else f"anharmonic, and {known}"


def _temperature(row: dict[str, Row], within: str) -> str:
    heat = row["effective_temperature"]
    relative, error = heat.value / heat.expected - 1, heat.error / heat.expected
    if heat.judgement == AGREES:
        return f"Langevin at T = {heat.expected:.3g} within {_bound(relative, error):.0%}"
    if heat.judgement == DISAGREES:
        return (
            f"stationary as the exact map within {within}, not as its Langevin limit: variances {relative:+.0%} of "
            f"those at T = {heat.expected:.3g}, {row['discretisation'].value - 1:+.0%} by lr lambda"
        )
    return (
        f"stationary as the exact map within {within}; Langevin at T = {heat.expected:.3g} within "
        f"{_bound(relative, error):.0%}, not resolved"
    )


def _objections(row: dict[str, Row]) -> str:
    named = {"gradient_over_noise": "G/N", "variance_amplified": "SVAG", "tail_index": "tails"}
    against = [name for key, name in named.items() if row[key].judgement == DISAGREES]
    text = f"; against it: {', '.join(against)}" if against else ""
    relation = row["fluctuation_dissipation"]
    if relation.judgement == UNRESOLVED:
        text += f"; fluctuation-dissipation ratio {relation.value:.3g} +- {relation.error:.2g} not resolved"
    distance = row["potential_distance"]
    if distance.judgement == DISAGREES:
        text += f"; not thermal: Phi is not the loss (distance {distance.value:.2g} T)"
    elif distance.judgement == AGREES:
        text += "; thermal: Phi is the loss up to a scale"
    return text + _away(row)


def _away(row: dict[str, Row]) -> str:
    return "; the start was no minimum" if row["minimum"].judgement == DISAGREES else ""


def _bound(difference: float, error: float) -> float:
    bound = abs(difference) + ERRORS * error
    return math.ceil(100 * bound - 1e-6) / 100  # but for rounding
