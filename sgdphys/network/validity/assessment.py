"""Is this SGD a Langevin process, and at which temperature? Everything measured, in one Dataset."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import sgdphys
from sgdphys import schema
from sgdphys.analysis import equilibration, fluctuation_dissipation
from sgdphys.checks import finite_number, whole_number
from sgdphys.network.validity.equilibrium import Run, measure_equilibrium
from sgdphys.network.validity.judgements import rows_dataset
from sgdphys.network.validity.measured_rows import Measured, rows_of
from sgdphys.network.validity.predictions import mean_over, prediction_of
from sgdphys.network.validity.refinements import refine
from sgdphys.network.validity.surroundings import surroundings_of
from sgdphys.network.validity.tails import tail_of_minibatches
from sgdphys.network.validity.verdict import verdict_of
from sgdphys.sgd import require_sgd
from sgdphys.theory.linear_maps import stiffness_limit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sgdphys.network.problem import Network
    from sgdphys.network.validity.equilibrium import Equilibrium
    from sgdphys.network.validity.predictions import Prediction
    from sgdphys.network.validity.refinements import Refinements
    from sgdphys.network.validity.surroundings import Surroundings
    from sgdphys.sgd import SGD

__all__ = ["validity_of"]

_ACCURACY = 0.01  # of the variance along the slowest direction when measuring begins
_MOST_STEPS = 30_000  # of a run whose length was not given
_LEAST_STEPS = 150  # of such a run
_FEWEST_STEPS = 16
_FEWEST_SURVIVORS = 3  # replicas, for errors between them
_SCALES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)  # of the batch size, for equivalent settings


@dataclass(frozen=True)
class _Setting:
    """What the user asked for, checked."""

    sgd: SGD
    surroundings: Surroundings
    run: Run
    needed: float


def validity_of(
    network: Network,
    sgd: SGD,
    *,
    rank: int = 20,
    n_replicas: int = 200,
    n_steps: int | None = None,
    svag: Sequence[int] = (1, 2, 4),
    tolerance: float = 0.1,
    seed: int = 0,
    threads: int | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    r"""Return whether SGD on a network is a Langevin process, at which temperature, and every number that says so.

    A cloud of replicas starts at the network's point, is left alone for a third of the run and then looked at along
    the leading eigenvectors of the Hessian. Each row of the table is a quantity with its standard error, what theory
    expects and one of four judgements: ``"agrees"`` when all of value +- 2 standard errors is within the tolerance of
    the expected value (below it, above it), ``"disagrees"`` when none of it is, ``"not resolved"`` between, ``"does
    not apply"`` where theory says nothing. The rows:

    ``temperature`` T = lr/(2B). ``stiffness`` lr lambda_max, to be below the stability limit. ``minimum``: gradient at
    the point over the noise of one sample. ``lowest_curvature`` over the largest, by 150 products with the Hessian at
    most: below 0 the point is a saddle, within rounding of 0 it may have flat directions. ``equilibration``: steps
    before measuring, to be more than the slowest direction needs to reach its variance within 1 %. ``diverged``.
    ``change`` of y^2 from the early to the late frames, 0 if stationary, for shuffled epochs too.
    ``fluctuation_dissipation``: Yaida's first relation along the directions, 1 if *stationary*, thermal or not.
    ``variance`` over that of the exact map with the constant noise of the point, averaged over directions, 1 if the
    quadratic theory holds (for shuffled epochs their own theory), and ``variance_spread``, the root mean square over
    directions of what it differs from 1. ``effective_temperature``: T_eff times variance over that of the stochastic
    equation (Lyapunov), T_eff expected. ``discretisation``: exact map over equation, by theory, and
    ``largest_discretisation`` along the direction where it is farthest from 1. ``noise_growth``: C_ii in the cloud
    over that at the point, averaged over directions: 1 for constant noise, and equal to ``variance`` if the loss is
    quadratic. ``gradient_over_noise``: G/N at equilibrium, to be at most 1 by SVAG's criterion.
    ``critical_batch_size`` tr C/G. ``variance_amplified``: relative change of the variance from SVAG's limit l to
    infinity to SGD, expected 0. ``tail_index`` of minibatch noise, by :func:`sgdphys.analysis.tail_index`: heavier than
    Gaussian noise of the same covariance and the same for all sums (a stable law) disagrees, heavier but lighter in
    longer sums is not resolved.
    ``participation_ratio``, ``escape_ratio``, ``alignment_cosine`` of the noise, isotropic within a factor of 1 +- 0.5
    expected for a thermal state. ``potential_distance``: root mean square of Phi/T - f/(cT) in three directions from
    the measured covariance, 0 +- 0.1 in the Gibbs state of the loss.

    With few replicas Student's factor takes the place of 2. The verdict follows from the judgements as
    :func:`sgdphys.network.validity.verdict.verdict_of` says, and speaks of the directions looked at alone. No matrix
    of d rows and columns is formed; the cost is that of the runs (SVAG with l takes about l times as many as SGD
    itself, of two minibatches a step and half as many replicas) and of as many full gradients.

    Parameters
    ----------
    network
        At a minimum; elsewhere a warning is given and all is measured all the same.
    sgd
        Constant settings; without replacement and with momentum rows keep their meaning, for shuffled epochs those that
        need a temperature do not apply, and SVAG needs momentum 0.
    rank
        Leading directions of the Hessian, d at most. Those without positive curvature or noise are left
        out.
    n_replicas
        Size of the cloud, at least 4.
    n_steps
        Length of the run. None: three times what the slowest direction needs, 150 at least; directions that would need
        more than 10000 steps are then left out.
    svag
        Refinements l, with 1 among them; () for none.
    tolerance
        Relative difference that counts as agreement, between 0 and 1.
    seed
        Of everything random.
    threads, progress
        As for ``train``.

    Returns
    -------
    xr.Dataset
        Over ``row``: ``row_value`` with standard error, ``row_expected``, ``row_tolerance``, ``judgement`` and other
        texts. Over ``coordinate``, the directions: ``curvature``, ``variance_real``, ``variance_predicted``,
        ``variance_of_equation``, ``noise_covariance``. Over ``refinement``: ``refined_variance_ratio`` and its
        prediction. ``eigenvalue`` (mode) of C. ``equivalent_lr`` and ``equivalent_stiffness`` over ``batch_size``. The
        attribute ``verdict``.

    Raises
    ------
    ValueError
        A value breaks its rule, the batch is the whole data set, or no direction confines.

    Warns
    -----
    RuntimeWarning
        The network is not at a minimum.

    References
    ----------
    Yaida 2018 (arXiv 1810.00004); Li, Malladi, Arora 2021 (arXiv 2102.12470); Liu, Ziyin, Ueda 2021 (arXiv 2012.03636);
    Chaudhari & Soatto 2018 (arXiv 1710.11029); McCandlish et al. 2018 (arXiv 1812.06162).
    """
    tolerance = _checked_tolerance(tolerance)
    amplifications = _checked_amplifications(svag)
    setting = _setting(network, sgd, rank, n_replicas, n_steps, seed, threads, progress)
    sgd, surroundings = setting.sgd, setting.surroundings
    stable = sgd.lr * surroundings.curvatures[0] < stiffness_limit(sgd)[0]
    cloud = measure_equilibrium(network, sgd, surroundings, setting.run) if stable else None
    prediction = prediction_of(surroundings, sgd) if stable else None
    lost = cloud.diverged / n_replicas if cloud is not None else math.nan
    if cloud is not None and cloud.points().shape[1] < _FEWEST_SURVIVORS:
        cloud = None
    refined = _refined(network, setting, prediction, cloud, amplifications)
    relation = None
    if cloud is not None:
        projected, gradients = cloud.relation_cloud(sgd)
        relation = fluctuation_dissipation(projected, gradients, sgd=sgd)
    measured = Measured(
        network.dim, sgd, surroundings, setting.run, setting.needed, cloud, prediction, relation, refined,
        tail_of_minibatches(surroundings.samples, sgd, seed), tolerance, lost,
    )  # fmt: skip
    rows = rows_of(measured)
    parts = [rows_dataset(rows), _directions(measured), _equivalents(setting)]
    if refined is not None:
        parts.append(refined.dataset())
    spectrum = (schema.MODE, surroundings.eigenvalues, schema.describe("eigenvalue"))
    result = xr.merge(parts, combine_attrs="override").assign(eigenvalue=spectrum)
    return result.assign_attrs(_attributes(network, setting, tolerance, amplifications)).assign_attrs(
        verdict=verdict_of(rows, sgd, tolerance, len(surroundings.curvatures), network.dim)
    )


def _checked_tolerance(tolerance: float) -> float:
    tolerance = finite_number("tolerance", tolerance, sign="positive")
    if tolerance >= 1:
        raise ValueError(f"tolerance must be below 1, got {tolerance:g}")
    return tolerance


def _checked_amplifications(svag: Sequence[int]) -> tuple[int, ...]:
    numbers = tuple(sorted({whole_number("svag", l) for l in svag}))  # noqa: E741 - the letter of the formula
    if numbers and (numbers[0] != 1 or len(numbers) < 2):
        raise ValueError(f"svag must hold 1 and a larger number, as (1, 2, 4), or nothing, got {tuple(svag)}")
    return numbers


def _setting(
    network: Network, sgd: SGD, rank: int, n_replicas: int, n_steps: int | None, seed: int, *of_run: Any
) -> _Setting:
    require_sgd(sgd)
    if whole_number("n_replicas", n_replicas) < 4:
        raise ValueError(f"n_replicas must be at least 4, for errors between them, got {n_replicas}")
    if n_steps is not None and whole_number("n_steps", n_steps) < _FEWEST_STEPS:
        raise ValueError(f"n_steps must be at least {_FEWEST_STEPS}, got {n_steps}")
    if sgd.batch_size > network.n_samples:
        raise ValueError(
            f"batch_size must not exceed the number of samples, got {sgd.batch_size} > {network.n_samples}"
        )
    complete = replace(sgd, n_samples=network.n_samples, weight_decay=network.weight_decay)
    if complete.sampling != "replacement" and complete.batch_size == network.n_samples:
        raise ValueError(
            "a batch is the whole data set: without noise there is no temperature; use a smaller batch_size"
        )
    surroundings = surroundings_of(network, whole_number("rank", rank), whole_number("seed", seed, least=0))
    needed = equilibration(surroundings.curvatures, complete, accuracy=_ACCURACY)["equilibration_steps"].values
    if n_steps is None:  # directions that need longer than a run of default length are left out
        count = max(1, int((needed <= _MOST_STEPS // 3).sum()))
        surroundings, needed = surroundings.leading(count), needed[:count]
        slowest = float(needed.max())
        n_steps = max(_LEAST_STEPS, 3 * math.ceil(min(slowest, _MOST_STEPS // 3)) + 3)
    return _Setting(complete, surroundings, Run(n_replicas, int(n_steps), seed, *of_run), float(needed.max()))


def _refined(
    network: Network,
    setting: _Setting,
    prediction: Prediction | None,
    cloud: Equilibrium | None,
    amplifications: tuple[int, ...],
) -> Refinements | None:
    sgd = setting.sgd
    if cloud is None or not amplifications or sgd.momentum or prediction is None or prediction.equation is None:
        return None
    return refine(network, sgd, setting.surroundings, setting.run, prediction, cloud, amplifications)


def _directions(measured: Measured) -> xr.Dataset:
    """Return curvature, noise, predicted and measured variance along each direction."""
    surroundings, prediction, cloud = measured.surroundings, measured.prediction, measured.cloud
    along = {"curvature": surroundings.curvatures}
    if prediction is not None:
        along["variance_predicted"] = np.diag(prediction.exact)
        if prediction.equation is not None:
            along["variance_of_equation"] = np.diag(prediction.equation)
    if cloud is not None:
        points = cloud.points()
        ones = np.ones((len(points), points.shape[2]))
        _, along["variance_real"], along["variance_real_standard_error"] = mean_over(points, ones)
    variables: dict[str, Any] = {
        name: (schema.COORDINATE, values, schema.describe(name)) for name, values in along.items()
    }
    noise = ((schema.COORDINATE, "coordinate_2"), surroundings.covariance, schema.describe("noise_covariance"))
    return xr.Dataset(variables | {"noise_covariance": noise})


def _equivalents(setting: _Setting) -> xr.Dataset:
    """Return other batch sizes with the learning rates of the same temperature."""
    sgd = setting.sgd
    sizes = sorted({round(sgd.batch_size * scale) for scale in _SCALES if sgd.batch_size * scale >= 1})
    pairs: dict[int, float] = {}
    if sgd.sampling != "shuffle":
        for size in (size for size in sizes if size < (sgd.n_samples or 0)):
            pairs[size] = sgd.equivalent(batch_size=size).lr
    lrs = np.array(list(pairs.values()), dtype=float)
    named = {"equivalent_lr": lrs, "equivalent_stiffness": lrs * setting.surroundings.curvatures[0]}
    variables = {name: (schema.BATCH_SIZE, values, schema.describe(name)) for name, values in named.items()}
    return xr.Dataset(variables, {schema.BATCH_SIZE: np.array(list(pairs), dtype=np.int64)})


def _attributes(network: Network, setting: _Setting, tolerance: float, svag: tuple[int, ...]) -> dict[str, Any]:
    configuration = {
        "verb": "validity",
        "network": network.configuration(),
        "sgd": asdict(setting.sgd),
        "rank": len(setting.surroundings.curvatures),
        "n_replicas": setting.run.n_replicas,
        "n_steps": setting.run.n_steps,
        "svag": list(svag),
        "tolerance": tolerance,
        "seed": setting.run.seed,
    }
    return schema.attributes_of(json.dumps(configuration), sgdphys.__version__)
