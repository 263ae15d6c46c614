"""The part of the schema that grids and analyses bring: name, dimensions, unit, meaning, type where it is no float."""

from __future__ import annotations

__all__ = ["ANALYSED"]

TIME, COORDINATE, COORDINATE_2 = "time", "coordinate", "coordinate_2"
_Line = tuple[str, tuple[str, ...], str, str] | tuple[str, tuple[str, ...], str, str, str]

_GRIDS: tuple[_Line, ...] = (  # of the Fokker-Planck equation; grid dimensions stand before the coordinate
    ("current", (TIME, COORDINATE), "loss/x^(dim+1)", "probability current at cell centres; grid axes follow time"),
    ("absorbed", (TIME,), "1", "probability that has left through absorbing walls or into a target"),
)
_ESTIMATES: tuple[_Line, ...] = (  # with a standard error each
    ("area_rate", (COORDINATE, COORDINATE_2), "loss", "area swept out per time, (E[x dy] - E[y dx])/2 per time"),
    ("total_variation", (TIME,), "1", "total-variation distance from the reference density"),
    ("drift", (COORDINATE,), "loss/x", "drift b of dx = b dt + sqrt(2 TD) dW; grid axes before the coordinate"),
    ("diffusion", (COORDINATE, COORDINATE_2), "loss", "TD: half the covariance of dx per time; grid axes come first"),
    ("drift_matrix", (COORDINATE, COORDINATE_2), "loss/x^2", "A of the linear drift -A (x - c)"),
    ("centre", (COORDINATE,), "x", "place c where a linear drift vanishes"),
)
_NUMBERS: tuple[_Line, ...] = (  # without one
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
