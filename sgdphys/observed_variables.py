"""The part of the schema that observers bring: name, dimensions, unit, meaning, and the type where it is no float."""

from __future__ import annotations

__all__ = ["OBSERVED"]

PARTICLE, COORDINATE = "particle", "coordinate"
_Line = tuple[str, tuple[str, ...], str, str] | tuple[str, tuple[str, ...], str, str, str]

_PATHS: tuple[_Line, ...] = (  # what observers note
    ("moment_time", ("moment_time",), "x^2/loss", "times at which moments were taken"),
    ("moment_count", ("moment_time",), "1", "number of finite particles that entered the moments", "int64"),
    ("mean", ("moment_time", COORDINATE), "x", "ensemble mean"),
    ("mean_standard_error", ("moment_time", COORDINATE), "x", "standard error of the ensemble mean"),
    (
        "covariance",
        ("moment_time", COORDINATE, "coordinate_2"),
        "x^2",
        "population covariance of the ensemble, divided by the count",
    ),
    ("variance_standard_error", ("moment_time", COORDINATE), "x^2", "standard error of the diagonal of the covariance"),
    (
        "first_passage_time",
        (PARTICLE,),
        "x^2/loss",
        "time of the first passage into the region; NaN if it has not happened",
    ),
    ("first_passage_censored", (), "1", "number of particles without a first passage", "int64"),
    ("histogram_time", ("histogram_time",), "x^2/loss", "times at which particles were counted"),
    ("histogram_count", ("histogram_time", "cell"), "1", "particles in each cell", "int64"),
    ("histogram_below", ("histogram_time", "histogram_axis"), "1", "particles below the cells", "int64"),
    ("histogram_above", ("histogram_time", "histogram_axis"), "1", "particles above the cells", "int64"),
    ("histogram_lost", ("histogram_time",), "1", "particles that left for infinity", "int64"),
    ("cell_edge", ("cell_edge",), "x", "edges of the cells of a histogram"),
    ("cell_edge_2", ("cell_edge_2",), "x", "edges of the cells along the second coordinate"),
    ("displacement_origin", ("displacement_origin",), "x^2/loss", "times that displacements count from"),
    ("displacement_lag", ("displacement_lag",), "x^2/loss", "times that passed since the origin"),
    ("displacement_count", ("displacement_origin", "displacement_lag"), "1", "particles counted", "int64"),
    ("correlation_origin", ("correlation_origin",), "x^2/loss", "times that correlations count from"),
    ("correlation_lag", ("correlation_lag",), "x^2/loss", "times that passed since the origin"),
    ("correlation_count", ("correlation_origin", "correlation_lag"), "1", "particles counted", "int64"),
    ("integrated_current", (PARTICLE,), "", "integral of a linear field along the path of each particle"),
    ("current_time", ("current_time",), "x^2/loss", "times at which currents were averaged"),
    ("current_count", ("current_time",), "1", "number of finite particles that entered", "int64"),
    ("snapshot_time", ("snapshot_time",), "x^2/loss", "times of the snapshots"),
    ("snapshot_position", ("snapshot_time", PARTICLE, COORDINATE), "x", "positions in the snapshots"),
    ("snapshot_velocity", ("snapshot_time", PARTICLE, COORDINATE), "loss/x", "velocities in the snapshots"),
    ("work", (PARTICLE,), "loss", "work done on each particle"),
    ("reduced_work", (PARTICLE,), "", "work in units of the temperature, with the change of temperature"),
    ("heat", (PARTICLE,), "loss", "heat that each particle took up"),
    ("effective_sample_size", (), "1", "effective number of samples of an exponential average"),
)
_AVERAGES: tuple[_Line, ...] = (
    (
        "mean_squared_displacement",
        ("displacement_origin", "displacement_lag"),
        "x^2",
        "mean of |x(t0 + lag) - x(t0)|^2",
    ),
    (
        "squared_displacement",
        ("displacement_origin", "displacement_lag", COORDINATE),
        "x^2",
        "mean squared displacement along each coordinate",
    ),
    *(
        (name, ("correlation_origin", "correlation_lag", COORDINATE, "coordinate_2"), "x^2", meaning)
        for name, meaning in (
            ("time_correlation", "covariance of a coordinate at the origin and another a lag later"),
            ("symmetric_correlation", "symmetric part of the time correlation"),
            ("antisymmetric_correlation", "antisymmetric part of the time correlation; 0 with detailed balance"),
        )
    ),
    ("current_mean", ("current_time",), "", "mean of the integrated current"),
    ("current_rate", ("current_time",), "", "mean of the integrated current over the time it took"),
    ("current_variance", ("current_time",), "", "population variance of the integrated current"),
    ("exponential_work", (), "1", "mean of exp(-reduced work)"),
)
_ERRORS: tuple[_Line, ...] = tuple(
    (f"{line[0]}_standard_error", line[1], line[2], f"standard error of {line[0]}") for line in _AVERAGES
)
OBSERVED: tuple[_Line, ...] = _PATHS + _AVERAGES + _ERRORS
