"""The noise of minibatch gradients: covariance of the per-sample gradients, and what its statistics tell."""

from __future__ import annotations

from dataclasses import dataclass

from sgdphys.network.noise.covariance import NoiseCovariance

__all__ = ["GradientNoise"]


@dataclass(frozen=True, repr=False)
class GradientNoise(NoiseCovariance):
    r"""Population covariance of the per-sample gradients at one point.

    .. math:: C = \frac1N \sum_i (g_i - g)(g_i - g)^T

    over the whole data set, centred, in loss^2/x^2. A batch of B gradients drawn with replacement has covariance C/B.
    Weight decay moves every gradient alike and drops out. From n < N samples drawn without replacement C is estimated
    without bias: (N-1)/N times the n-1 covariance.

    Parameters
    ----------
    objective
        The regularised loss of the samples measured.
    point
        Flat parameters (d,) as a tensor.
    params
        Pattern, or several, of the names of parameters whose rows and columns of C to take; default all.
    route
        "forward", "double" or "loop" for the products C v, see ``SampleJacobian``; None to choose.
    n_population
        Number N of samples of the data set of which ``objective`` holds n; None where it holds all.
    max_memory
        Bytes, or a text as "2GB", that Gram matrix and gradients may take; default a quarter of what is free.

    Raises
    ------
    ValueError
        No such parameter or route, or a ``max_memory`` that is no size.
    """
