"""The SVAG test: the same cloud by l = 1, 2, 4, ... steps of lr/l, on its way to the stochastic equation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sgdphys import schema
from sgdphys.network.validity.equilibrium import measure_equilibrium
from sgdphys.network.validity.predictions import Estimate, Prediction, mean_over, refined_prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sgdphys.network.problem import Network
    from sgdphys.network.validity.equilibrium import Equilibrium, Run
    from sgdphys.network.validity.surroundings import Surroundings
    from sgdphys.sgd import SGD

__all__ = ["Refinements", "refine"]

REFINEMENT = "refinement"


@dataclass(frozen=True)
class Refinements:
    """Variance over that of the equation for each l, with errors and the prediction of the map, and the trend.

    ``trend`` is the relative change from the equation, extrapolated to 1/l = 0 by a straight line in 1/l, to SGD at 1.
    """

    amplifications: tuple[int, ...]
    ratios: NDArray[np.float64]
    errors: NDArray[np.float64]
    predicted: NDArray[np.float64]
    trend: Estimate

    def dataset(self) -> xr.Dataset:
        """Return the scan as variables over ``refinement``, the number l."""
        named = {
            "refined_variance_ratio": self.ratios,
            "refined_variance_ratio_standard_error": self.errors,
            "refined_variance_ratio_predicted": self.predicted,
        }
        variables = {name: (REFINEMENT, values, schema.describe(name)) for name, values in named.items()}
        return xr.Dataset(variables, {REFINEMENT: np.array(self.amplifications)})


def refine(
    network: Network,
    sgd: SGD,
    surroundings: Surroundings,
    run: Run,
    prediction: Prediction,
    plain: Equilibrium,
    amplifications: Sequence[int],
) -> Refinements | None:
    """Run the refinements and fit the trend.

    Parameters
    ----------
    network, sgd, surroundings, run
        As for ``measure_equilibrium``.
    prediction
        Its equation is what variances are divided by.
    plain
        The cloud of SGD, l = 1.
    amplifications
        Numbers l, 1 among them, two or more.

    Returns
    -------
    Refinements or None
        Independent clouds of l times as many steps each, and half as many replicas; None if replicas left for infinity.
    """
    assert prediction.equation is not None
    reference = np.diag(prediction.equation)[None]
    fewer = replace(run, n_replicas=max(4, run.n_replicas // 2))
    results, predicted = [], []
    for l in amplifications:  # noqa: E741 - the letter of the formula
        cloud = plain if l == 1 else measure_equilibrium(network, sgd, surroundings, fewer, l)
        if cloud.diverged:
            return None
        results.append(mean_over(cloud.points(), reference)[0])
        predicted.append(float(np.mean(np.diag(refined_prediction(surroundings, sgd, l)) / reference)))
    ratios, errors = (np.array([getattr(result, name) for result in results]) for name in ("value", "error"))
    return Refinements(
        tuple(amplifications), ratios, errors, np.array(predicted), _trend(amplifications, ratios, errors)
    )


def _trend(amplifications: Sequence[int], ratios: NDArray[np.float64], errors: NDArray[np.float64]) -> Estimate:
    """Return slope over intercept of a weighted straight line in 1/l."""
    design = np.stack([np.ones(len(ratios)), 1 / np.asarray(amplifications, dtype=float)], axis=1)
    covariance = np.linalg.inv(design.T @ (design / errors[:, None] ** 2))
    level, slope = covariance @ design.T @ (ratios / errors**2)
    gradient = np.array([-slope / level**2, 1 / level])
    return Estimate(float(slope / level), float(np.sqrt(gradient @ covariance @ gradient)))
