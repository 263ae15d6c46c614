"""The rows of the verdict, from what was measured and predicted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.network.validity.judgements import AGREES, DISAGREES, UNRESOLVED, Row, errors_of
from sgdphys.network.validity.predictions import (
    Estimate,
    change_of,
    distance_of_covariance,
    mean_over,
    potential_distance_of,
    ratio_of_means,
    spread_over,
)
from sgdphys.theory import sde_error
from sgdphys.theory.linear_maps import stiffness_limit

if TYPE_CHECKING:
    import xarray as xr

    from sgdphys.network.validity.equilibrium import Equilibrium, Run
    from sgdphys.network.validity.predictions import Prediction
    from sgdphys.network.validity.refinements import Refinements
    from sgdphys.network.validity.surroundings import Surroundings
    from sgdphys.sgd import SGD

__all__ = ["Measured", "rows_of"]

_SHUFFLED = "epoch shuffling"
_POTENTIAL_DIRECTIONS = 3
_POTENTIAL_TOLERANCE = 0.1  # of T, for the distance of Phi from the scaled loss
_SVAG_CRITERION = 1.0  # G/N <= C^2 - 1 with C = sqrt 2
_ISOTROPY = 0.5  # relative difference from isotropic noise that still counts as isotropic
_PULL = 1e-3  # gradient over noise of a sample that still counts as a minimum
_OF_THE_CLOUD = {
    "fluctuation_dissipation", "variance", "noise_growth", "effective_temperature", "gradient_over_noise",
    "variance_amplified", "potential_distance", "change", "variance_spread",
}  # fmt: skip
_NOTHING = Estimate(math.nan, math.nan)


@dataclass(frozen=True)
class Measured:
    """What rows are made of; ``cloud`` and ``prediction`` are None where SGD does not settle, ``lost`` is a share."""

    dim: int
    sgd: SGD
    surroundings: Surroundings
    run: Run
    needed_steps: float
    cloud: Equilibrium | None
    prediction: Prediction | None
    relation: xr.Dataset | None
    refined: Refinements | None
    tail: xr.Dataset | None
    tolerance: float
    lost: float

    @property
    def shuffled(self) -> bool:
        """Whether there is no effective temperature."""
        return self.sgd.sampling == "shuffle"


def rows_of(measured: Measured) -> list[Row]:
    """Return all rows in their order."""
    rows = [
        *_settings(measured),
        *_stationarity(measured),
        *_temperatures(measured),
        *_noise_against_drift(measured),
        _refinement(measured),
        _tail(measured),
        *_isotropy(measured),
        _potential(measured),
    ]
    if measured.cloud is None:
        return rows
    settled = "" if measured.run.burn_in >= measured.needed_steps else UNRESOLVED
    errors = errors_of(measured.cloud.points().shape[1])
    return [replace(row, settled=settled, errors=errors) if row.key in _OF_THE_CLOUD else row for row in rows]


def _settings(measured: Measured) -> list[Row]:
    sgd = measured.sgd
    limit, formula = stiffness_limit(sgd)
    stiffness = sgd.lr * float(measured.surroundings.curvatures[0])
    return [
        Row("temperature", "T = lr/(2B)", sgd.temperature, question="setting", unit="x^2/loss"),
        Row("stiffness", f"lr lambda_max, stable below {formula}", stiffness, expected=limit, relation="<",
            question="stationary"),
    ]  # fmt: skip


def _stationarity(measured: Measured) -> list[Row]:
    ratio = _NOTHING
    if measured.relation is not None:
        name = "fluctuation_dissipation_ratio"
        ratio = Estimate(*(float(measured.relation[key]) for key in (name, f"{name}_standard_error")))
    change = _NOTHING
    if measured.cloud is not None and measured.prediction is not None:
        change = change_of(measured.cloud.points(), measured.prediction.variances(measured.cloud.steps))
    return [
        Row("minimum", "gradient at the point / noise of a sample", measured.surroundings.pull, expected=_PULL,
            relation="<", question="stationary"),
        Row("lowest_curvature", "least curvature / lambda_max, a saddle below 0", *measured.surroundings.lowest, 0.0,
            relation=">", question="stationary"),
        Row("equilibration", "steps before measuring, and to equilibrium", measured.run.burn_in,
            expected=measured.needed_steps, relation=">", question="stationary"),
        Row("diverged", "share of replicas that left for infinity", measured.lost, expected=0.0, question="stationary"),
        Row("change", "<y^2> from early to late frames, relative change", change.value, change.error, 0.0,
            measured.tolerance, question="stationary"),
        Row("fluctuation_dissipation", "<y.grad f> / (lr/2)(1+mu)<v.v>: stationary, not thermal", ratio.value,
            ratio.error, 1.0, measured.tolerance, question="stationary", reason=_SHUFFLED if measured.shuffled else ""),
    ]  # fmt: skip


def _temperatures(measured: Measured) -> list[Row]:
    """Return measured variances over those of the map, and the temperature that those of the equation would need."""
    sgd, cloud, prediction = measured.sgd, measured.cloud, measured.prediction
    over_map = over_equation = spread = _NOTHING
    discretised = stiffest = math.nan
    if cloud is not None and prediction is not None:
        over_map = mean_over(cloud.points(), prediction.variances(cloud.steps))[0]
        spread = spread_over(cloud.points(), prediction.variances(cloud.steps))
        if prediction.equation is not None:
            over_equation = mean_over(cloud.points(), np.diag(prediction.equation)[None])[0]
    if prediction is not None:
        H, C = np.diag(measured.surroundings.curvatures), measured.surroundings.covariance
        ratios = sde_error(H, C, sgd)["stationary_variance_ratio"].values
        discretised, stiffest = float(np.nanmean(ratios)), float(ratios[np.nanargmax(np.abs(ratios - 1))])
    reason = _SHUFFLED if measured.shuffled else ""
    theory = "shuffle formula, constant noise" if measured.shuffled else "exact map, constant noise"
    effective = math.nan if measured.shuffled else sgd.effective_temperature
    return [
        Row("variance", f"variance / theory ({theory})", over_map.value, over_map.error, 1.0, measured.tolerance),
        Row("variance_spread", "the same, its rms deviation from 1 over directions", spread.value, spread.error, 0.0,
            measured.tolerance),
        Row("effective_temperature", "temperature from variances (Lyapunov)", effective * over_equation.value,
            effective * over_equation.error, effective, measured.tolerance * effective, unit="x^2/loss",
            reason=reason),
        Row("discretisation", "theory: map / stochastic equation", discretised, expected=1.0,
            tolerance=measured.tolerance, reason=reason),
        Row("largest_discretisation", "the same, the direction farthest from 1", stiffest, expected=1.0,
            tolerance=measured.tolerance, reason=reason),
    ]  # fmt: skip


def _noise_against_drift(measured: Measured) -> list[Row]:
    cloud, size = measured.cloud, measured.sgd.batch_size
    reason = _SHUFFLED if measured.shuffled else ""
    ratio = scale = growth = _NOTHING
    if cloud is not None and not measured.shuffled:
        growth = _noise_growth(measured)
    if cloud is not None:
        ratio = ratio_of_means(cloud.squared_gradient, cloud.squared_noise)
        inverse = ratio_of_means(cloud.squared_noise, cloud.squared_gradient)
        factor = size / (1.0 if measured.shuffled else measured.sgd.sampling_factor)
        scale = Estimate(factor * inverse.value, factor * inverse.error)
    return [
        Row("noise_growth", "C along directions: cloud / point", growth.value, growth.error, 1.0, measured.tolerance,
            reason=reason),
        Row("gradient_over_noise", "G/N = |grad f|^2 / (tr C/B), SVAG: <= 1", ratio.value, ratio.error,
            _SVAG_CRITERION, relation="<", reason=reason),
        Row("critical_batch_size", "critical batch size tr C/|grad f|^2", scale.value, scale.error,
            question="setting", reason=reason),
    ]  # fmt: skip


def _noise_growth(measured: Measured) -> Estimate:
    """Return the batches' noise in the cloud over that at the point; a quadratic loss multiplies variances by it."""
    cloud, sgd, covariance = measured.cloud, measured.sgd, measured.surroundings.covariance
    if cloud is None:
        return _NOTHING
    at_point = sgd.sampling_factor / sgd.batch_size * np.diag(covariance)
    each = np.mean(np.mean(np.square(cloud.noise), axis=0) / at_point, axis=1)
    each = each[np.isfinite(each)]
    return Estimate(float(each.mean()), float(each.std(ddof=1) / math.sqrt(len(each))))


def _refinement(measured: Measured) -> Row:
    refined = measured.refined
    reason = _SHUFFLED if measured.shuffled else "momentum" if measured.sgd.momentum else ""
    if refined is None and not reason:
        reason = "not run, or replicas left"
    trend = _NOTHING if refined is None else refined.trend
    label = "SVAG: variance at l = 1 against l -> infinity, relative"
    return Row("variance_amplified", label, trend.value, trend.error, 0.0, measured.tolerance, reason=reason)


def _tail(measured: Measured) -> Row:
    """Return the tail index; what Gaussian noise of the same covariance gives is expected."""
    tail, label = measured.tail, "tail index of minibatches, Gaussian: as expected"
    if tail is None:
        return Row("tail_index", label, math.nan, reason="noise of few values")
    length = tail.attrs["block_length"]
    null = float(tail["null_tail_index_scan"].sel(block_length=length))
    value, error = float(tail["tail_index"]), float(tail["tail_index_standard_error"])
    # a Langevin limit needs no more than finite variance: tails that vanish in long sums are no objection
    heavier, stable = bool(tail["heavier_than_gaussian"]), bool(tail["stable_tail"])
    judgement = DISAGREES if stable else UNRESOLVED if heavier else AGREES
    return Row("tail_index", label, value, error, null, settled=judgement)


def _isotropy(measured: Measured) -> list[Row]:
    surroundings, dim = measured.surroundings, measured.dim
    participation = _NOTHING
    if surroundings.moments is not None:
        participation = _estimate(surroundings.moments, "participation_ratio")
    escape, cosine = (_estimate(surroundings.alignment, name) for name in ("escape_ratio", "alignment_cosine"))
    return [
        Row("participation_ratio", "noise directions (tr C)^2/tr C^2, isotropic: d", participation.value,
            participation.error, dim, _ISOTROPY * dim, question="thermal"),
        Row("escape_ratio", "d tr(HC)/(tr H tr C), isotropic: 1", escape.value, escape.error, 1.0, _ISOTROPY,
            question="thermal"),
        Row("alignment_cosine", "cos(C, H)", cosine.value, cosine.error, question="thermal"),
    ]  # fmt: skip


def _potential(measured: Measured) -> Row:
    count = min(_POTENTIAL_DIRECTIONS, len(measured.surroundings.curvatures))
    label = f"distance of Phi from f/c in {count} directions" if count > 1 else "distance of Phi from f/c"
    if count < 2:
        return Row("potential_distance", label, math.nan, question="thermal", unit="T", reason="one direction")
    curvatures = measured.surroundings.curvatures[:count]
    distance = _NOTHING
    if measured.cloud is not None and measured.prediction is not None:
        distance = potential_distance_of(measured.cloud.points()[..., :count], curvatures)
        predicted = distance_of_covariance(measured.prediction.exact[:count, :count], curvatures)
        label += f" (theory {predicted:.2g})"
    return Row("potential_distance", label, distance.value, distance.error, 0.0, _POTENTIAL_TOLERANCE,
               question="thermal", unit="T")  # fmt: skip


def _estimate(dataset: xr.Dataset, name: str) -> Estimate:
    return Estimate(float(dataset[name]), float(dataset[f"{name}_standard_error"]))
