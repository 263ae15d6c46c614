"""The noise of minibatch gradients: covariance of the per-sample gradients, and what its statistics tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch

from sgdphys.analysis.gradient_noise_moments import noise_moments
from sgdphys.analysis.gradient_noise_scales import noise_scale
from sgdphys.analysis.held_out_spectra import cross_validated_spectrum
from sgdphys.analysis.spectrum_ranks import noise_ranks
from sgdphys.analysis.tail_indices import tail_index
from sgdphys.checks import whole_number
from sgdphys.network.noise.covariance import NoiseCovariance
from sgdphys.network.noise.curvature_scales import curvature_scale
from sgdphys.network.noise.plan_estimates import plan_of
from sgdphys.network.noise.plans import NoisePlan
from sgdphys.network.tensors import to_numpy
from sgdphys.network.threads import few_threads

if TYPE_CHECKING:
    import xarray as xr
    from torch import Tensor

    from sgdphys.network.curvature.symmetric_operator import SymmetricOperator

__all__ = ["Directions", "GradientNoise"]

Directions: TypeAlias = Literal["noise", "random"]


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
        Bytes, or a text as "2GB", that one measurement may take at once; default a quarter of what is free.

    Raises
    ------
    ValueError
        No such parameter or route, or a ``max_memory`` that is no size.
    """

    def plan(self) -> NoisePlan:
        """Return route, bytes and passes over the data of products, Gram matrix and spectrum, before they run.

        Bytes are those of torch's allocator beside what model and data take. What an evaluation takes is measured in
        two trials with few samples on one thread, moment by moment, and carried on in a straight line to all of them;
        what the scalar products of a Gram matrix then take is counted from their shapes. The interpreter's own memory
        and what the allocator does not give back are not in.

        Returns
        -------
        NoisePlan
            Three lines when printed.
        """
        return plan_of(self._maker, self._jacobian, self._names)

    def moments(self) -> xr.Dataset:
        """Return |G|^2, tr C, tr C^2 and participation ratio without bias, see ``analysis.noise_moments``."""
        return noise_moments(self.gram(centred=False), self._whole)

    def rank(self, relative: Sequence[float] = (1e-3,), shares: Sequence[float] = (0.9, 0.99)) -> xr.Dataset:
        """Return the rank of C at named thresholds and its stable rank, see ``analysis.noise_ranks``."""
        return noise_ranks(self.spectrum(), self.dim, relative, shares)

    def held_out_spectrum(self, n_splits: int = 8, seed: int = 0) -> xr.Dataset:
        """Return eigenvalues whose directions come from other samples, see ``analysis.cross_validated_spectrum``."""
        return cross_validated_spectrum(self.gram(centred=False), self._whole, n_splits, seed)

    def scale(
        self, level: float = 0.95, curvature: SymmetricOperator | None = None, n_probes: int = 32, seed: int = 0
    ) -> xr.Dataset:
        r"""Return the batch size at which noise and mean gradient balance, see ``analysis.noise_scale``.

        .. math:: B_\mathrm{simple} = \frac{\mathrm{tr}\, C}{|G|^2},\qquad
                  B_\mathrm{noise} = \frac{\mathrm{tr}(H C)}{G' H G}

        Parameters
        ----------
        level
            Probability of the interval of the simple scale.
        curvature
            H, as ``network.curvature()`` of the same parameters, for the second scale, of these samples as they are:
            G'HG is exact, tr(HC) the mean of u'Hu over random sums u of centred gradients with signs (Hutchinson's
            estimator in the space of the samples; one gradient and one Hessian product a probe). The standard error is
            that of the probes alone.
        n_probes
            Number of such sums, two or more.
        seed
            Seed of the signs.

        Returns
        -------
        xr.Dataset
            As ``analysis.noise_scale``; with ``curvature`` also ``curvature_noise_scale`` with ``_standard_error``,
            NaN where G'HG is not positive.

        Raises
        ------
        ValueError
            Fewer than 4 samples or 2 probes, or ``level`` does not lie between 0 and 1.
        """
        simple = noise_scale(self.gram(centred=False), self._whole, level)
        if curvature is None:
            return simple
        probes = whole_number("n_probes", n_probes, least=2)
        if getattr(curvature, "dim", None) != self.dim:
            raise ValueError(
                f"curvature must be network.curvature() of the same {self.dim} parameters, got {curvature!r:.60}"
            )
        seed = whole_number("seed", seed, least=0)
        return simple.merge(curvature_scale(self, curvature, probes, seed), combine_attrs="override", compat="override")

    def tail(
        self,
        n_draws: int = 10_000,
        batch_size: int = 1,
        directions: Directions | Any = "noise",
        k: int = 10,
        seed: int = 0,
        n_null: int = 20,
    ) -> xr.Dataset:
        """Return the tail index of minibatch noise along some directions, with its null, see ``analysis.tail_index``.

        All samples are projected once; minibatches drawn with replacement are then sums of projections.

        Parameters
        ----------
        n_draws
            Number of minibatches.
        batch_size
            Samples a minibatch.
        directions
            "noise" for the leading eigenvectors of C, of length one, "random" for random ones of about that length, or
            an array (d, k), for instance of leading Hessian eigenvectors.
        k
            Number of directions, where they are named.
        seed
            Seed of minibatches, random directions and null.
        n_null
            Number of simulated sets of Gaussian noise.

        Returns
        -------
        xr.Dataset
            As ``analysis.tail_index``, with ``batch_size`` and ``directions`` in the attributes.

        Raises
        ------
        ValueError
            No such directions, or as ``analysis.tail_index``.
        """
        n_draws, batch_size = whole_number("n_draws", n_draws), whole_number("batch_size", batch_size)
        seed = whole_number("seed", seed, least=0)
        along = to_numpy(self._projected(directions, whole_number("k", k), seed))
        draws = np.zeros((n_draws, along.shape[1]))
        generator = np.random.default_rng([seed, 1])
        for _ in range(batch_size):
            draws += along[generator.integers(len(along), size=n_draws)]
        result = tail_index(draws / batch_size, n_null=n_null, seed=seed)
        named = directions if isinstance(directions, str) else "given"
        return result.assign_attrs(batch_size=batch_size, directions=named)

    @few_threads
    def _projected(self, directions: Any, k: int, seed: int) -> Tensor:
        if not isinstance(directions, str):
            return self.products_along(self._columns(directions, 2))
        if directions == "noise":
            factor = torch.as_tensor(self.low_rank(min(k, self.dim, self.n_samples))).to(self.point)
            sizes = factor.norm(dim=0)
            return self.products_along(factor / torch.where(sizes > 0, sizes, 1.0))
        if directions != "random":
            raise ValueError(f"directions must be 'noise', 'random' or an array (d, k), got {directions!r}")
        generator = torch.Generator().manual_seed(seed)
        columns = torch.randn(self.dim, k, generator=generator, dtype=torch.float64)
        return self.products_along((columns / self.dim**0.5).to(self.point))

    @property
    def _whole(self) -> int:
        return self.n_samples if self.n_population is None else self.n_population
