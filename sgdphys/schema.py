"""Every dimension, variable, unit and attribute that reaches a Dataset or the disk.

Analyses and stores use these names and no others. ``validate`` is what makes a Dataset a Cloud or a Density.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.analysed_variables import ANALYSED
from sgdphys.network_variables import MEASURED
from sgdphys.observed_variables import OBSERVED

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "ATTRIBUTES", "BY_NAME", "FORMAT_VERSION", "RNG_VERSION", "VARIABLES", "Variable", "attributes_of",
    "coordinate_names", "describe", "is_cloud", "is_density", "validate_cloud", "validate_density",
]  # fmt: skip

FORMAT_VERSION = 1
RNG_VERSION = 1  # version of the counter layout of sgdphys.kernels.philox; other numbers, other noise

TIME, STEP, PARTICLE, COORDINATE = "time", "step", "particle", "coordinate"
PARAMETER, SEED, TEMPERATURE, LR, BATCH_SIZE = "parameter", "seed", "temperature", "lr", "batch_size"
EIGENVALUE = "eigenvalue"
MOMENT_TIME = "moment_time"
STAGE = "stage"  # number of a stage of a schedule
EPOCH_STEP = "epoch_step"  # number of a step within an epoch, from 1
MODE, POINT = "mode", "point"  # number of an eigenpair; number of a point where something is measured

ATTRIBUTES = {
    "sgdphys_format": "version of this schema, an integer",
    "rng_version": "version of the counter layout that made the noise",
    "sgdphys_version": "version of the package that wrote the data",
    "configuration": "JSON text that, with the variables, repeats the run",
}


@dataclass(frozen=True)
class Variable:
    """One variable of the schema: its name, dimensions, unit and meaning."""

    name: str
    dims: tuple[str, ...]
    units: str
    meaning: str
    dtype: str = "float64"


VARIABLES: tuple[Variable, ...] = (
    Variable("time", (TIME,), "x^2/loss", "time, lr * step for SGD, dt * step for a stochastic differential equation"),
    Variable("step", (TIME,), "1", "number of steps taken since the start of the run", "int64"),
    Variable("epoch", (TIME,), "1", "epoch that the next minibatch belongs to", "int64"),
    Variable("epoch_phase", (TIME,), "1", "share of the epoch's samples that came before the next minibatch"),
    Variable(
        "position",
        (TIME, PARTICLE, COORDINATE),
        "x",
        "positions of the particles; NaN after a particle left for infinity",
    ),
    Variable(
        "velocity",
        (TIME, PARTICLE, COORDINATE),
        "loss/x",
        "heavy-ball velocity v of x <- x - lr v; dx/dt of underdamped motion, in sqrt(loss)",
    ),
    Variable("start_position", (PARTICLE, COORDINATE), "x", "positions at the first step, where no frame holds them"),
    Variable("start_velocity", (PARTICLE, COORDINATE), "loss/x", "velocities at the first step"),
    Variable("potential", (TIME, PARTICLE), "loss", "loss or potential energy at the position"),
    Variable("diverged", (PARTICLE,), "1", "whether the particle left for infinity", "bool"),
    Variable("density", (TIME,), "1/x^dim", "probability density at cell centres; its grid dimensions follow time"),
    Variable("mass", (TIME,), "1", "total probability on the grid"),
    Variable("boundary_mass", (TIME,), "1", "probability in the cells that touch a wall of the grid"),
    Variable("time_error", (TIME,), "1", "estimated error of the time steps so far, in total variation"),
    Variable("density_standard_error", (TIME,), "1/x^dim", "standard error of a density counted from particles"),
    Variable(
        "effective_potential", (TIME,), "x^2/loss", "-T log p with its minimum at zero; its grid dimensions follow time"
    ),
    Variable("effective_potential_standard_error", (TIME,), "x^2/loss", "standard error of -T log p"),
    Variable("particle_count", (TIME,), "1", "number of finite particles that entered the estimate", "int64"),
    Variable("sample_inputs", ("sample", "feature"), "1", "inputs of the samples of a finite-sum landscape"),
    Variable("sample_targets", ("sample",), "1", "targets or labels of the samples of a finite-sum landscape"),
    Variable("quadratic_matrix", (COORDINATE, "coordinate_2"), "loss/x^2", "matrix of a large quadratic landscape"),
    Variable("origin", (PARAMETER,), "x", "point of parameter space that the reduced coordinates count from"),
    Variable(
        "basis", (PARAMETER, COORDINATE), "1", "orthonormal directions of the reduced coordinates in parameter space"
    ),
    Variable("committed_frames", (), "1", "frames of this point of a sweep that are committed", "int64"),
    Variable("temperature", (TEMPERATURE,), "x^2/loss", "temperature T; lr / (2 batch_size) for SGD"),
    Variable("seed", (SEED,), "1", "seed of the noise", "int64"),
    Variable("lr", (LR,), "x^2/loss", "learning rate"),
    Variable("batch_size", (BATCH_SIZE,), "1", "samples in a minibatch", "int64"),
    Variable("diverged_fraction", (TIME,), "1", "fraction of the particles that left for infinity"),
    Variable("stationary_entropy", (TEMPERATURE,), "nat", "entropy of the stationary state on a grid"),
    Variable("stationary_mean_potential", (TEMPERATURE,), "loss", "mean potential of the stationary state on a grid"),
    Variable("stationary_free_energy", (TEMPERATURE,), "loss", "free energy of the stationary state on a grid"),
    Variable("stationary_variance", (TEMPERATURE, COORDINATE), "x^2", "variance of the stationary state on a grid"),
    Variable("entropy", (TIME,), "nat", "differential entropy"),
    Variable("entropy_standard_error", (TIME,), "nat", "standard error of the entropy"),
    Variable("mean_potential", (TIME,), "loss", "mean of the potential energy over the cloud or density"),
    Variable("mean_potential_standard_error", (TIME,), "loss", "standard error of the mean potential energy"),
    Variable("free_energy", (TIME,), "loss", "free energy E[Phi] - T H"),
    Variable("free_energy_standard_error", (TIME,), "loss", "standard error of the free energy"),
    Variable("relative_entropy", (TIME,), "nat", "Kullback-Leibler divergence from the stationary density"),
    Variable("relative_entropy_standard_error", (TIME,), "nat", "standard error of the relative entropy"),
    Variable("stationary_covariance", (COORDINATE, "coordinate_2"), "x^2", "covariance of the stationary state"),
    Variable(
        "velocity_covariance",
        (COORDINATE, "coordinate_2"),
        "loss^2/x^2",
        "stationary covariance of the heavy-ball velocity v",
    ),
    Variable(
        "epoch_mean_covariance", (COORDINATE, "coordinate_2"), "x^2", "stationary covariance averaged over an epoch"
    ),
    Variable("variance_in_epoch", (EPOCH_STEP, COORDINATE), "x^2", "stationary variance after each step of an epoch"),
    Variable("lyapunov", (COORDINATE, "coordinate_2"), "x^2", "stationary covariance in the continuous limit"),
    Variable(
        "additive",
        (COORDINATE, "coordinate_2"),
        "x^2",
        "stationary covariance of the discrete map with the noise of the minimum",
    ),
    Variable(
        "hessian", (COORDINATE, "coordinate_2"), "loss/x^2", "second derivatives of the loss, weight decay included"
    ),
    Variable(
        "gradient_covariance",
        (COORDINATE, "coordinate_2"),
        "loss^2/x^2",
        "population covariance of the per-sample gradients",
    ),
    Variable("minimum", (COORDINATE,), "x", "minimum of the loss"),
    Variable("spectral_radius", (), "1", "largest factor by which the mean motion shrinks in a step"),
    Variable(
        "second_moment_radius",
        (),
        "1",
        "growth of the variance by multiplicative noise; the variance is finite below 1",
    ),
    Variable("eigenvalue", (MODE,), "", "eigenvalues in falling order, in the unit of their matrix"),
    Variable("eigenvector", (PARAMETER, MODE), "1", "orthonormal eigenvectors"),
    Variable("residual_norm", (MODE,), "", "norm of A v - lambda v, in the unit of the eigenvalue"),
    Variable("trace", (POINT,), "loss/x^2", "trace of the Hessian"),
    Variable("largest_eigenvalue", (POINT,), "loss/x^2", "largest eigenvalue of the Hessian"),
    Variable("smallest_eigenvalue", (POINT,), "loss/x^2", "smallest eigenvalue of the Hessian"),
    Variable("log_determinant", (POINT,), "1", "sum of the logarithms of the confining eigenvalues of the Hessian"),
    Variable("left_out", (POINT,), "1", "number of eigenvalues of the Hessian that do not confine", "int64"),
    Variable("location", (POINT, COORDINATE), "x", "where the Hessian was taken"),
    Variable("mean_difference_z", (COORDINATE,), "1", "difference of the means in its standard errors"),
)
_COMPARED = (
    Variable("variance_real", (COORDINATE,), "x^2", "variance of the real cloud"),
    Variable("variance_sim", (COORDINATE,), "x^2", "variance of the simulated cloud"),
    Variable("variance_ratio", (COORDINATE,), "1", "variance of the real cloud over that of the simulated one"),
    Variable("mean_difference", (COORDINATE,), "x", "mean of the real cloud minus that of the simulated one"),
    Variable("mean_variance_ratio", (), "1", "variance ratio, averaged over the directions"),
    Variable("entropy_real", (), "nat", "Gaussian entropy of the real cloud"),
    Variable("entropy_sim", (), "nat", "Gaussian entropy of the simulated cloud"),
    Variable("entropy_difference", (), "nat", "entropy of the real cloud minus that of the simulated one"),
    Variable("symmetric_relative_entropy", (), "nat", "sum of the relative entropies of the two clouds as Gaussians"),
    Variable("squared_wasserstein_distance", (), "x^2", "squared Wasserstein-2 distance of the clouds as Gaussians"),
)
_SWEPT = (
    Variable("mean_ratio_real", (), "1", "variance of the real cloud over the predicted one, averaged over directions"),
    Variable("mean_ratio_sim", (), "1", "variance of the simulated cloud over the predicted one, averaged likewise"),
    Variable("excess_loss", (), "loss", "mean loss of the real cloud above that of the minimum"),
    Variable("test_error", (), "1", "fraction of test samples that the replicas classify wrongly, on average"),
    Variable("hessian_trace", (), "loss/x^2", "trace of the Hessian at replicas of the real cloud, on average"),
    Variable("hessian_largest_eigenvalue", (), "loss/x^2", "largest Hessian eigenvalue at replicas, on average"),
)
VARIABLES += (
    _COMPARED
    + _SWEPT
    + tuple(
        Variable(f"{value.name}_standard_error", value.dims, value.units, f"standard error of {value.name}")
        for value in _COMPARED + _SWEPT
    )
)
VARIABLES += (
    Variable("variance_predicted", (COORDINATE,), "x^2", "variance of the discrete map on the quadratic loss, exact"),
    Variable("variance_growth_predicted", (TIME, COORDINATE), "x^2", "the same at each time from the minimum on"),
    Variable("entropy_predicted", (), "nat", "entropy of the Gaussian with the predicted covariance"),
    Variable("excess_loss_predicted", (), "loss", "half the trace of the Hessian times the predicted covariance"),
    Variable("noise_covariance", (COORDINATE, "coordinate_2"), "loss^2/x^2", "gradient noise in reduced coordinates"),
    Variable("curvature", (COORDINATE,), "loss/x^2", "Hessian eigenvalue of each reduced coordinate"),
    Variable("minimum_loss", (), "loss", "loss of the network at its minimum"),
    Variable("minimum_test_error", (), "1", "fraction of test samples that the network at its minimum gets wrong"),
    Variable("minimum_hessian_trace", (), "loss/x^2", "trace of the Hessian at the minimum"),
    Variable("minimum_largest_eigenvalue", (), "loss/x^2", "largest eigenvalue of the Hessian at the minimum"),
)
_ROOTS = (MODE, "root")  # the two eigenvalues of a step of SGD for each eigenvalue of the Hessian, the slower first
VARIABLES += (
    Variable("step_eigenvalue", _ROOTS, "1", "eigenvalues of a step of SGD on a quadratic loss", "complex128"),
    Variable("damping_per_step", _ROOTS, "1", "factor by which the mean shrinks in a step"),
    Variable("angle_per_step", _ROOTS, "rad", "angle by which the mean turns in a step"),
    Variable("relaxation_rate", _ROOTS, "loss/x^2", "rate at which the mean of SGD relaxes, per time"),
    Variable("continuous_rate", (MODE,), "loss/x^2", "the same rate of the stochastic differential equation"),
    Variable("stationary_displacement", (TIME,), "x^2", "mean squared displacement in the stationary state"),
    Variable("largest_lr", (), "x^2/loss", "learning rate above which the mean does not settle"),
    Variable("largest_lr_of_finite_variance", (), "x^2/loss", "learning rate above which the variance is infinite"),
    Variable("stationary_variance_ratio", (MODE,), "1", "stationary variance of SGD over that of its equation"),
    Variable("relaxation_rate_ratio", (MODE,), "1", "relaxation rate of SGD over that of its equation"),
    Variable("correlation_time_ratio", (MODE,), "1", "correlation time of SGD over that of its equation"),
    Variable("largest_autocorrelation_error", (MODE,), "1", "largest difference of the autocorrelations"),
    Variable("total_variance_ratio", (), "1", "trace of the covariance of SGD over that of its equation"),
    Variable("excess_loss_ratio", (), "1", "mean loss above the minimum of SGD over that of its equation"),
    Variable("largest_variance_ratio", (), "1", "variance of SGD over that of its equation, at most in any direction"),
    Variable("mean_first_passage_time", (), "x^2/loss", "mean time of first passage"),
    Variable("kramers_rate", (), "loss/x^2", "rate of escape in the limit of low temperature"),
    Variable("kesten_exponent", (), "1", "tail exponent of SGD on least squares with fresh Gaussian features"),
    Variable("gaussian_sde_exponent", (), "1", "tail exponent of its stochastic differential equation"),
    Variable("mori_sde_exponent", (), "1", "tail exponent of the equation with noise proportional to the loss"),
    Variable("loss_exponent", (), "1", "power of the loss by which the density of that equation falls"),
    Variable("stationary_second_moment", (), "x^2", "second moment of the stationary state"),
    Variable("current_rate", (), "loss", "mean current per time; the current is twice the area swept out"),
    Variable("current_variance_rate", (), "loss x^2", "variance of the current per time"),
    Variable("coordinate_variance", (), "x^2", "variance of each coordinate"),
    Variable("entropy_production_rate", (), "loss/x^2", "entropy production per time"),
    Variable("uncertainty_ratio", (), "1", "variance of a current times entropy over twice its squared mean"),
    Variable("current_generating_function", (), "loss/x^2", "scaled cumulant generating function of the current"),
    Variable("posterior_divergence", (), "nat", "relative entropy of the stationary state of SGD from the posterior"),
    Variable("optimal_lr", (), "x^2/loss", "learning rate at which SGD samples the posterior best"),
    Variable("stage_covariance", (STAGE, COORDINATE, "coordinate_2"), "x^2", "covariance at the end of each stage"),
    Variable("stage_updates", (STAGE,), "1", "steps of SGD until the end of each stage", "int64"),
    Variable("stage_time", (STAGE,), "x^2/loss", "time at the end of each stage, the sum of the learning rates"),
    Variable("relative_entropy_of_sde", (), "nat", "relative entropy of SGD with respect to its equation, Gaussian"),
)
VARIABLES += tuple(Variable(*line) for line in OBSERVED + ANALYSED + MEASURED)
BY_NAME = {variable.name: variable for variable in VARIABLES}


def describe(name: str) -> dict[str, str]:
    """Return the attributes (units, long name) of a variable; words before its name, as of observers, do not matter."""
    known = name
    while known not in BY_NAME and "_" in known:
        known = known.partition("_")[2]
    if known not in BY_NAME:  # of an observer from outside the package
        return {"units": "", "long_name": name.replace("_", " ")}
    variable = BY_NAME[known]
    return {"units": variable.units, "long_name": variable.meaning}


def coordinate_names(dim: int) -> list[str]:
    """Return the names of ``dim`` coordinates: x, y, z up to three, x0, x1, ... above."""
    return ["x", "y", "z"][:dim] if dim <= 3 else [f"x{i}" for i in range(dim)]


def attributes_of(configuration: str, version: str) -> dict[str, str | int]:
    """Return the attributes of a new Dataset, from the configuration as JSON text and the package version."""
    return {
        "sgdphys_format": FORMAT_VERSION,
        "rng_version": RNG_VERSION,
        "sgdphys_version": version,
        "configuration": configuration,
    }


def is_cloud(dataset: xr.Dataset) -> bool:
    """Return whether the Dataset holds particles: ``position(time, particle, coordinate)``."""
    return "position" in dataset and dataset["position"].dims == (TIME, PARTICLE, COORDINATE)


def is_density(dataset: xr.Dataset) -> bool:
    """Return whether the Dataset holds a density on a grid: ``density(time, x, ...)``."""
    return "density" in dataset and dataset["density"].ndim >= 2 and dataset["density"].dims[0] == TIME


def validate_cloud(dataset: xr.Dataset) -> None:
    """Raise ValueError unless the Dataset is a Cloud; the message says what is missing."""
    if not is_cloud(dataset):
        raise ValueError(f"a cloud needs position(time, particle, coordinate), this Dataset has {_outline(dataset)}")
    if TIME not in dataset.coords:
        raise ValueError("a cloud needs the coordinate 'time'")


def validate_density(dataset: xr.Dataset) -> None:
    """Raise ValueError unless the Dataset is a Density; the message says what is missing."""
    if not is_density(dataset):
        raise ValueError(f"a density needs density(time, x, ...), this Dataset has {_outline(dataset)}")
    for axis in dataset["density"].dims:
        if axis not in dataset.coords:
            raise ValueError(f"a density needs the coordinate {axis!r} of cell centres")
    if not bool(np.all(np.isfinite(dataset["density"].values))):
        raise ValueError("the density holds NaN or infinity")


def _outline(dataset: xr.Dataset) -> str:
    return ", ".join(f"{name}({', '.join(map(str, array.dims))})" for name, array in dataset.items()) or "no variables"
