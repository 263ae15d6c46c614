"""The part of the schema that real networks bring: name, dimensions, unit, meaning, type where it is no float."""

from __future__ import annotations

__all__ = ["MEASURED"]

_Line = tuple[str, tuple[str, ...], str, str] | tuple[str, tuple[str, ...], str, str, str]

_NOISE_ESTIMATES: tuple[_Line, ...] = (  # from the Gram matrix of per-sample gradients
    ("squared_mean_gradient", (), "loss^2/x^2", "squared norm of the mean gradient, without bias"),
    ("noise_trace", (), "loss^2/x^2", "trace of the per-sample gradient covariance C, without bias"),
    ("noise_trace_of_square", (), "loss^4/x^4", "trace of C^2, without bias"),
    ("participation_ratio", (), "1", "(tr C)^2 / tr C^2, the number of directions that share the noise"),
    ("simple_noise_scale", (), "1", "tr C / |G|^2, samples; NaN where |G|^2 does not differ from 0"),
    ("curvature_noise_scale", (), "1", "tr(HC) / G'HG, samples; NaN where G'HG does not differ from 0"),
    ("fastest_lr", ("batch_size",), "x^2/loss", "learning rate whose single step lowers a quadratic loss most"),
    ("largest_loss_decrease", ("batch_size",), "loss", "mean decrease of the loss in that step"),
    ("eigenvalue_cross_validated", ("mode",), "loss^2/x^2", "variance in half the samples along the other half's axes"),
    ("tail_index", (), "1", "alpha of sums of draws by Mohammadi et al., raw; 2 or above means no stable tail"),
    ("tail_index_scan", ("block_length",), "1", "the same for each number of draws in a sum"),
    ("tail_index_of_direction", ("direction",), "1", "the same for each coordinate of the draws"),
    ("tail_index_rise", (), "1", "tail index less that of the shortest sums; 0 for a stable law"),
    ("hill_index", (), "1", "tail exponent of the norms of the draws by Hill's estimator"),
)
_NOISE_NUMBERS: tuple[_Line, ...] = (
    ("participation_ratio_bias", (), "1", "estimated bias of participation_ratio, not subtracted"),
    *(
        line
        for name, below in (("simple_noise_scale", "|G|^2"), ("curvature_noise_scale", "G'HG"))
        for line in (
            (f"{name}_bias", (), "1", f"leading bias of {name}, not subtracted"),
            (f"{name}_low", (), "1", f"lower end of the interval of {name}"),
            (f"{name}_high", (), "1", f"upper end of the interval of {name}; infinite where it is not resolved"),
            (f"{name}_resolved", (), "1", f"whether {below} differs from 0, so that {name} has an upper end", "bool"),
        )
    ),
    ("critical_batch_size", (), "1", "batch size at which the best step gains half of the full gradient's"),
    ("rank", ("threshold",), "1", "number of eigenvalues above a threshold", "int64"),
    ("rank_cut", ("threshold",), "", "smallest eigenvalue that counts, in the unit of the eigenvalue"),
    ("rank_share", ("threshold",), "1", "rank over the number of parameters"),
    ("stable_rank", (), "1", "sum of the eigenvalues over the largest"),
    ("eigenvalue_participation_ratio", (), "1", "squared sum of the eigenvalues over the sum of their squares"),
    ("eigenvalue_mean", (), "", "mean of the eigenvalues over all parameters, in their unit"),
    ("eigenvalue_standard_deviation", (), "", "their standard deviation over all parameters"),
    ("null_tail_index_scan", ("block_length",), "1", "mean tail index of Gaussian noise with the same covariance"),
    ("null_tail_index_scan_spread", ("block_length",), "1", "its standard deviation"),
    ("tail_index_scan_z", ("block_length",), "1", "1/alpha of the draws less that of Gaussian noise, in its errors"),
    ("heavier_than_gaussian", (), "1", "whether the tail index lies below that of Gaussian noise", "bool"),
    ("stable_tail", (), "1", "whether it is heavier, and longer sums do not look more Gaussian", "bool"),
    ("null_hill_index", (), "1", "mean Hill exponent of Gaussian noise with the same covariance"),
    ("null_hill_index_spread", (), "1", "its standard deviation"),
    ("hill_index_z", (), "1", "Hill exponent less that of Gaussian noise, in its standard deviations"),
    (
        "left_out_directions",
        (),
        "1",
        "directions with an exact zero among their draws, which have no logarithm",
        "int64",
    ),
)
_CURVATURE_ESTIMATES: tuple[_Line, ...] = (  # of matrices that are known by their products
    ("spectral_density", ("spectrum_value",), "", "share of the eigenvalues per interval, per unit of the eigenvalue"),
    ("spectral_moment", ("power",), "", "mean of the powers of the eigenvalues, tr A^power / d"),
    ("matrix_diagonal", ("parameter",), "", "diagonal, in the unit of the matrix"),
    ("layer_trace", ("layer",), "", "trace of the block of a layer, in the unit of the matrix"),
    ("curvature_trace", (), "loss/x^2", "trace of the curvature matrix"),
    ("gradient_noise_trace", (), "loss^2/x^2", "trace of the gradient noise of the data set"),
    ("escape_indicator", (), "loss^3/x^4", "tr(HC): T times it is the rise of the mean loss per time by the noise"),
    ("escape_ratio", (), "1", "d tr(HC) / (tr H tr C): 1 for isotropic noise of equal trace"),
    ("alignment_cosine", (), "1", "tr(HC) / (|H| |C|) with Frobenius norms: 1 where C is proportional to H"),
)
_CURVATURE_NUMBERS: tuple[_Line, ...] = (
    ("spectrum_value", ("spectrum_value",), "", "place on the axis of eigenvalues, in their unit"),
    ("power", ("power",), "1", "power of a moment", "int64"),
    ("node", ("probe", "node_number"), "", "nodes of a quadrature, in the unit of the eigenvalue"),
    ("node_weight", ("probe", "node_number"), "1", "weights of the nodes, which sum to 1 for each probe"),
    ("gradient_mismatch", (), "1", "distance of the mean of samples' gradients from their batch's, per sample's size"),
    ("projected_noise", ("mode", "mode_2"), "loss^2/x^2", "V'CV, gradient noise along leading curvature eigenvectors"),
    ("noise_share", ("mode",), "1", "share of tr C along a curvature eigenvector"),
    ("noise_curvature_ratio", ("mode",), "1", "(v'Cv / tr C) / (lambda / tr H): 1 where C is proportional to H"),
    ("principal_cosine", ("mode",), "1", "cosines of the principal angles of two leading subspaces, falling"),
)
_VALIDITY_ESTIMATES: tuple[_Line, ...] = (  # whether SGD is a Langevin process
    ("dissipation_term", (), "loss", "mean of x . grad f, left-hand side of the first relation of Yaida"),
    ("fluctuation_term", (), "loss", "its right-hand side, (lr/2) (1 + mu)/(1 - tau) times the mean of v . v"),
    ("fluctuation_dissipation_ratio", (), "1", "left over right-hand side of the first relation; 1 if stationary"),
    ("squared_gradient_term", (), "loss^2/x^2", "mean of |grad f|^2, left-hand side of the second relation of Yaida"),
    ("curved_fluctuation_term", (), "loss^2/x^2", "its right-hand side, with v . H v in place of v . v"),
    ("second_fluctuation_dissipation_ratio", (), "1", "left over right-hand side of the second relation"),
    ("refined_variance_ratio", ("refinement",), "1", "mean over directions of the variance over that of the equation"),
)
_VALIDITY_NUMBERS: tuple[_Line, ...] = (
    ("relaxation_steps", ("mode",), "1", "steps in which the mean of SGD falls to 1/e along an eigenvector"),
    ("equilibration_steps", ("mode",), "1", "steps until the variance along an eigenvector is nearly stationary"),
    ("slowest_equilibration_steps", (), "1", "the same of the slowest eigenvector"),
    ("variance_of_equation", ("coordinate",), "x^2", "variance of the stochastic differential equation, Lyapunov's"),
    ("refined_variance_ratio_predicted", ("refinement",), "1", "the same of the map of SVAG with constant noise"),
    ("row_value", ("row",), "", "what a row of the verdict measured"),
    ("row_value_standard_error", ("row",), "", "its standard error; NaN for what has none"),
    ("row_expected", ("row",), "", "what Langevin theory expects there"),
    ("row_tolerance", ("row",), "", "difference from the expected value that still counts as agreement"),
    ("row_label", ("row",), "1", "what a row of the verdict is about", "str"),
    ("row_unit", ("row",), "1", "unit of the value", "str"),
    ("row_relation", ("row",), "1", "how value and expected value should stand: =, < or >", "str"),
    ("row_question", ("row",), "1", "what the row helps to answer: setting, stationary, Langevin or thermal", "str"),
    ("row_reason", ("row",), "1", "why the row does not apply", "str"),
    ("judgement", ("row",), "1", "agrees, disagrees, not resolved or does not apply", "str"),
    ("equivalent_lr", ("batch_size",), "x^2/loss", "learning rate of the same temperature at another batch size"),
    ("equivalent_stiffness", ("batch_size",), "1", "that learning rate times the largest eigenvalue of the Hessian"),
)
_CLOUD_NUMBERS: tuple[_Line, ...] = (
    ("buffer", ("time", "particle", "buffer_coordinate"), "1", "buffers that training changes, one after the other"),
    ("momentum", ("particle",), "1", "heavy-ball coefficient"),
)
_RECORDED: tuple[_Line, ...] = (
    ("line_step", ("line",), "1", "number of steps taken at a line of recorded scalars", "int64"),
    ("line_time", ("line",), "x^2/loss", "time of a line, the sum of the learning rates before it"),
    (
        "training_loss",
        ("line", "particle"),
        "loss",
        "loss of the minibatch of the step before; NaN where none was given",
    ),
    ("gradient_norm", ("line", "particle"), "loss/x", "norm of the gradient of the step before; NaN where unknown"),
    ("distance_from_start", ("line", "particle"), "x", "norm of the displacement from the start"),
    ("step_length", ("line", "particle"), "x", "norm of the move since the line before"),
    ("step_alignment", ("line", "particle"), "x^2", "displacement at the line before times the move since then"),
    ("sketch", ("time", "particle", "bucket"), "x", "count sketch of the displacement from the origin"),
    ("anchor_step", ("anchor_step",), "1", "steps at which all parameters are kept", "int64"),
    ("anchor_time", ("anchor_step",), "x^2/loss", "times at which all parameters are kept"),
    ("anchor", ("anchor_step", "particle", "parameter"), "x", "all parameters at some steps"),
    ("anchor_velocity", ("anchor_step", "particle", "parameter"), "loss/x", "heavy-ball velocities at the anchors"),
    ("lag", ("lag",), "x^2/loss", "time between two frames"),
    ("sketched_displacement", ("lag",), "x^2", "mean squared displacement over a lag, from sketches"),
    ("sketched_displacement_sketch_error", ("lag",), "x^2", "its standard deviation over sketches, at most"),
    ("path_share", ("particle", "mode"), "1", "share of a path's variance along its principal components"),
    ("path_share_null", ("mode",), "1", "the same of a long random walk in many dimensions, 6/(pi mode)^2"),
    ("path_component", ("time", "particle", "mode"), "x", "path along its principal components"),
    (
        "off_plane_distance",
        ("time", "particle"),
        "x",
        "distance of the path from the plane of its first two components",
    ),
)
_ESTIMATES: tuple[_Line, ...] = (
    *_VALIDITY_ESTIMATES,
    *_NOISE_ESTIMATES,
    *_CURVATURE_ESTIMATES,
)  # with a standard error each
_NUMBERS: tuple[_Line, ...] = (
    *_RECORDED,
    *_CLOUD_NUMBERS,
    *_VALIDITY_NUMBERS,
    *_NOISE_NUMBERS,
    *_CURVATURE_NUMBERS,
)  # without one

MEASURED = (
    *_ESTIMATES,
    *((f"{name}_standard_error", dims, unit, f"standard error of {name}") for name, dims, unit, *_ in _ESTIMATES),
    *_NUMBERS,
)
