"""The part of the schema that grids and analyses bring: name, dimensions, unit, meaning, type where it is no float."""

from __future__ import annotations

__all__ = ["ANALYSED"]

TIME, COORDINATE, COORDINATE_2 = "time", "coordinate", "coordinate_2"
_Line = tuple[str, tuple[str, ...], str, str] | tuple[str, tuple[str, ...], str, str, str]

_GRIDS: tuple[_Line, ...] = (  # of the Fokker-Planck equation; grid dimensions stand before the coordinate
    ("current", (TIME, COORDINATE), "loss/x^(dim+1)", "probability current at cell centres; grid axes follow time"),
    ("relaxation_frequency", ("mode",), "loss/x^2", "angular frequency at which the mode turns while it decays"),
    ("right_mode", ("mode",), "1/x^dim", "densities that decay at one rate; grid axes follow mode"),
    ("left_mode", ("mode",), "1", "functions whose mean decays at one rate, biorthogonal to right_mode"),
    ("right_mode_imaginary", ("mode",), "1/x^dim", "imaginary part of right_mode"),
    ("left_mode_imaginary", ("mode",), "1", "imaginary part of left_mode"),
    ("committor", (), "1", "probability to enter the target before the source; dimensions are the grid axes"),
    ("reactive_current", (COORDINATE,), "loss/x^(dim+1)", "current of paths from source to target; grid axes first"),
    ("reactive_flux", (), "loss/x^2", "transitions from source to target per time"),
    ("reaction_rate", (), "loss/x^2", "transitions per time since the source was entered last"),
    ("reverse_reaction_rate", (), "loss/x^2", "the same from target to source"),
    ("splitting_probability", ("exit",), "1", "probability to leave through an exit first"),
    ("survival", (TIME,), "1", "probability of no first passage yet"),
    ("first_passage_density", (TIME,), "loss/x^2", "probability density of the time of first passage"),
    ("first_passage_variance", (), "x^4/loss^2", "variance of the time of first passage"),
    ("first_passage_variation", (), "1", "standard deviation of the time of first passage over its mean"),
    ("absorbed", (TIME,), "1", "probability that has left through absorbing walls or into a target"),
)
_ESTIMATES: tuple[_Line, ...] = (  # with a standard error each
    ("area_rate", (COORDINATE, COORDINATE_2), "loss", "area swept out per time, (E[x dy] - E[y dx])/2 per time"),
    ("total_variation", (TIME,), "1", "total-variation distance from the reference density"),
    ("noise_scale", (TIME,), "loss^2/x^2", "c for which -T log p is closest to f/c"),
    ("potential_distance", (TIME,), "1", "distance of -log p from f/(cT), root mean square over p, less sampling's"),
    ("largest_rise", (), "loss", "rise of the free energy between two frames that is the largest in its errors"),
    ("free_energy_rate", ("interval",), "loss^2/x^2", "rate of change of the free energy between two frames"),
    ("drift", (COORDINATE,), "loss/x", "drift b of dx = b dt + sqrt(2 TD) dW; grid axes before the coordinate"),
    ("diffusion", (COORDINATE, COORDINATE_2), "loss", "TD: half the covariance of dx per time; grid axes come first"),
    ("drift_matrix", (COORDINATE, COORDINATE_2), "loss/x^2", "A of the linear drift -A (x - c)"),
    ("centre", (COORDINATE,), "x", "place c where a linear drift vanishes"),
    ("reduced_free_energy_difference", (), "", "-ln of the ratio of partition sums, by Jarzynski's equality"),
    ("second_cumulant_estimate", (), "", "mean less half the variance of the reduced work"),
    ("mean_reduced_work", (), "", "mean of the reduced work"),
    ("dissipated_work", (), "", "mean of the reduced work less the reduced free-energy difference"),
    ("acceptance_ratio_estimate", (), "", "reduced free-energy difference by Bennett's acceptance ratio"),
    ("hatano_sasa_average", (), "1", "mean of exp(-reduced work) over the ratio of partition sums"),
    ("exponential_entropy", (), "1", "mean of exp(-s) of the entropy s produced along paths"),
    ("mean_entropy_production", (), "nat", "mean of the entropy produced along paths"),
    ("symmetry_slope", (), "1", "b in p(s)/p(-s) = exp(b s), 1 by the detailed fluctuation theorem"),
    ("log_ratio", ("magnitude_bin",), "1", "logarithm of the numbers of positive and negative values"),
)
_NUMBERS: tuple[_Line, ...] = (  # without one
    ("density_bias", (TIME,), "1/x^dim", "leading bias of a kernel density: half h^2 times its second derivatives"),
    ("bandwidth", (TIME, COORDINATE), "x", "standard deviation h of Gaussian kernels"),
    ("effective_potential_bias", (TIME,), "x^2/loss", "what the width of the kernels adds to -T log p"),
    ("expected_noise_scale", (TIME,), "loss^2/x^2", "mean of the trace of D over the number of coordinates"),
    ("apparent_potential_distance", (TIME,), "1", "distance of -log p from f/(cT) with the noise of sampling in it"),
    ("expected_potential_distance", (TIME,), "1", "distance of -log p from f/(cT) by the noise of sampling alone"),
    (
        "potential_distance_z",
        (TIME,),
        "1",
        "excess of the apparent distance over that of sampling, as a normal deviate",
    ),
    ("fitted_mass", (TIME,), "1", "probability in the cells that a fit uses"),
    ("interval_start", ("interval",), "x^2/loss", "time at which an interval begins"),
    ("interval_end", ("interval",), "x^2/loss", "time at which an interval ends"),
    ("free_energy_rate_z", ("interval",), "1", "rate of change of the free energy in its standard errors"),
    ("free_energy_rate_by_current", ("interval",), "loss^2/x^2", "rate of change of the free energy by the current"),
    ("dissipation_rate", (TIME,), "loss^2/x^2", "free energy lost per time by the current, T times nonadiabatic"),
    ("housekeeping_rate", (TIME,), "loss/x^2", "entropy production that keeps the stationary current going"),
    ("largest_rise_z", (), "1", "largest rise of the free energy between two frames, over its standard error"),
    ("rise_start", (), "x^2/loss", "time of the frame from which the free energy rises most"),
    ("rise_end", (), "x^2/loss", "time of the frame up to which the free energy rises most"),
    ("holds", (), "1", "whether the free energy never rises by more than its errors", "bool"),
    ("current_standard_error", (TIME, COORDINATE), "loss/x^(dim+1)", "standard error of current"),
    ("entropy_production_rate_standard_error", (), "loss/x^2", "standard error of entropy_production_rate"),
    ("entropy_production_estimate", (), "loss/x^2", "entropy production per time without bias, negative by chance"),
    ("entropy_production_upper_bound", (), "loss/x^2", "what the estimate leaves possible"),
    ("entropy_production_bias", (), "loss/x^2", "what the plain estimate of a reversible process would be on average"),
    ("entropy_production_null_quantile", (), "loss/x^2", "what the estimate of a reversible process rarely exceeds"),
    ("entropy_production_per_step", (), "nat", "entropy production in a step of the run"),
    ("produced_entropy", (TIME,), "nat", "entropy produced since the first time"),
    ("largest_reversal_z", (), "1", "largest mean that reversed paths turn round, in its standard errors"),
    ("reversal_p_value", (), "1", "probability that a reversible process gives as much or more"),
    ("expected_total_variation", (TIME,), "1", "mean distance of as many independent draws from the reference"),
    ("total_variation_z", (TIME,), "1", "excess of the distance over that of draws, in standard errors"),
    ("chi_square", (TIME,), "1", "Pearson's statistic of the counts in cells"),
    ("chi_square_z", (TIME,), "1", "excess of Pearson's statistic over its mean, in standard deviations"),
    ("degrees_of_freedom", (TIME,), "1", "number of cells of Pearson's statistic, less one", "int64"),
    ("visits", (), "1", "displacements that start in the cell", "int64"),
    ("free_energy_bias", (), "", "bias to first order of the reduced free-energy difference"),
    ("consistency_z", (), "1", "difference of the free-energy differences by either run, in standard errors"),
    ("hatano_sasa_z", (), "1", "distance of the average of Hatano and Sasa from 1, in standard errors"),
    ("partition_ratio", (), "1", "partition sum at the end over that at the beginning"),
    ("integral_fluctuation_z", (), "1", "distance of the mean of exp(-s) from 1, in standard errors"),
    ("symmetry_z", (), "1", "distance of the slope from 1, in standard errors"),
    ("magnitude", ("magnitude_bin",), "1", "mean magnitude of the values in a bin"),
    ("expected_log_ratio", ("magnitude_bin",), "1", "log ratio by the detailed fluctuation theorem"),
    ("log_ratio_z", ("magnitude_bin",), "1", "excess of positive values over the expected, in standard deviations"),
    ("uncertainty_ratio_standard_error", (), "1", "standard error of uncertainty_ratio"),
    ("uncertainty_bound_z", (), "1", "distance of the uncertainty ratio from its bound 1, in standard errors"),
)
_LANDSCAPES: tuple[_Line, ...] = (  # large matrices and tables of landscapes
    ("circulation_matrix", (COORDINATE, COORDINATE_2), "loss/x^2", "matrix Q of a large circulating field Q x"),
    ("knot_potential", ("knot",), "loss", "potential at the knots of a tabulated landscape, last axis fastest"),
    ("knot_circulation", ("knot", COORDINATE), "loss/x", "circulating field at the knots of a tabulated landscape"),
)
_PLANES = (COORDINATE, COORDINATE_2)
_CLOSED_FORMS: tuple[_Line, ...] = (  # of theory
    ("circulation", _PLANES, "loss", "antisymmetric part Q of drift times stationary covariance, A S = T C + Q"),
    ("potential_matrix", _PLANES, "1/loss", "matrix U = T S^-1 of the potential x'Ux/2 of a linear process"),
    ("current_matrix", _PLANES, "loss/x^2", "matrix -Q S^-1 that takes a point to its current over the density"),
    ("discrete_area_rate", _PLANES, "loss", "area swept per time by the chain of steps"),
    ("discrete_covariance", _PLANES, "x^2", "stationary covariance of the chain of steps"),
    ("noise_rank", (), "1", "number of directions with noise", "int64"),
    ("covariance_rank", (), "1", "number of directions that the noise reaches", "int64"),
    ("loss_free_energy", (TIME,), "loss", "E[loss] - T H, which need not fall where the loss is not the potential"),
    ("mean_loss", (TIME,), "loss", "mean of the loss"),
    ("stationary_average", (), "", "mean of a function of the position in the stationary state"),
    ("escape_rate", (), "loss/x^2", "rate of escape over a saddle"),
    ("barrier_exponent", (), "1", "power of the loss at the saddle over that at the minimum in the rate of escape"),
    ("critical_dimension", (), "1", "number of noisy directions from which on there is no stationary state"),
)
_ERRORS: tuple[_Line, ...] = tuple(
    (f"{line[0]}_standard_error", line[1], line[2], f"standard error of {line[0]}") for line in _ESTIMATES
)
ANALYSED: tuple[_Line, ...] = _GRIDS + _LANDSCAPES + _ESTIMATES + _NUMBERS + _CLOSED_FORMS + _ERRORS
