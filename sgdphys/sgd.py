"""The settings of stochastic gradient descent and the temperature they amount to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sgdphys.checks import finite_number, whole_number

__all__ = ["SGD", "Sampling", "require_sgd"]

Sampling = Literal["replacement", "without", "shuffle"]
_SAMPLINGS = ("replacement", "without", "shuffle")


@dataclass(frozen=True)
class SGD:
    r"""Settings of stochastic gradient descent, read as a thermal process.

    One step is torch's,

    .. math:: v \leftarrow \mu v + (1 - \tau)\, g,\qquad x \leftarrow x - \mathrm{lr}\, v,\qquad
              g = g_\mathrm{batch} + \mathrm{wd}\, x,

    with momentum :math:`\mu` and dampening :math:`\tau`, which spares the very first step (v = g there); Nesterov's
    form moves by :math:`g + \mu v` in place of v, and without momentum v is g. One step takes the time ``lr``. The
    noise of the batch gradient has covariance ``sampling_factor * C / batch_size`` with the population covariance C of
    the per-sample gradients, which makes the density obey a Fokker-Planck equation of temperature ``lr / (2
    batch_size)``.

    Parameters
    ----------
    lr
        Learning rate, in x^2/loss; positive.
    batch_size
        Samples in a minibatch; a positive integer.
    momentum
        Heavy-ball coefficient mu in [0, 1), torch's convention.
    weight_decay
        Coefficient wd of (wd/2)|x|^2, which belongs to the loss everywhere in this package; non-negative.
    n_samples
        Size of the data set; needed by sampling without replacement.
    sampling
        ``"replacement"``: independent draws, covariance C/B. ``"without"``: distinct samples within a step,
        C/B (N-B)/(N-1). ``"shuffle"``: epochs of a shuffled order, noise anti-correlated between steps.
    nesterov
        Whether to take Nesterov's form of the step; needs momentum, and no dampening.
    dampening
        Coefficient tau in [0, 1) of the velocity's intake; needs momentum, without which torch ignores it.

    Raises
    ------
    ValueError
        A value breaks its rule; the message names value and rule.

    References
    ----------
    Chaudhari & Soatto 2018 (arXiv 1710.11029), section II; Kunin et al. 2021 (arXiv 2107.09133) for momentum;
    Sutskever et al. 2013, ICML, PMLR 28, 1139, for Nesterov's form.
    """

    lr: float
    batch_size: int
    momentum: float = 0.0
    weight_decay: float = 0.0
    n_samples: int | None = None
    sampling: Sampling = "replacement"
    nesterov: bool = False
    dampening: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lr", finite_number("lr", self.lr, sign="positive"))
        object.__setattr__(self, "batch_size", whole_number("batch_size", self.batch_size))
        finite_number("batch_size", self.batch_size)
        object.__setattr__(self, "momentum", finite_number("momentum", self.momentum))
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1), got {self.momentum}")
        self._check_form_of_momentum()
        weight_decay = finite_number("weight_decay", self.weight_decay, sign="not negative")
        object.__setattr__(self, "weight_decay", weight_decay)
        if not (isinstance(self.sampling, str) and self.sampling in _SAMPLINGS):
            raise ValueError(f"sampling must be one of {', '.join(_SAMPLINGS)}, got {self.sampling!r}")
        if self.n_samples is not None:
            object.__setattr__(self, "n_samples", whole_number("n_samples", self.n_samples))
            self._check_batch_fits(self.n_samples)

    def _check_form_of_momentum(self) -> None:
        if not isinstance(self.nesterov, (bool, np.bool_)):
            raise ValueError(f"nesterov must be True or False, got {self.nesterov!r:.60}")
        object.__setattr__(self, "nesterov", bool(self.nesterov))
        object.__setattr__(self, "dampening", finite_number("dampening", self.dampening))
        if not 0 <= self.dampening < 1:
            raise ValueError(f"dampening must lie in [0, 1), got {self.dampening}")
        if self.momentum == 0 and (self.nesterov or self.dampening):
            name = "nesterov" if self.nesterov else "dampening"
            raise ValueError(f"{name} is a form of momentum, got momentum=0; give momentum > 0 or leave {name} out")
        if self.nesterov and self.dampening:
            raise ValueError(f"nesterov needs dampening=0, got {self.dampening}; leave one of them out")

    def _check_batch_fits(self, n_samples: int) -> None:
        if self.batch_size > n_samples:
            raise ValueError(
                f"batch_size must not exceed n_samples, got {self.batch_size} > {n_samples}; "
                f"use batch_size={n_samples} at most"
            )

    @property
    def temperature(self) -> float:
        """Bare temperature T = lr / (2 batch_size), in x^2/loss (only T times a gradient covariance is an energy)."""
        return self.lr / (2 * self.batch_size)

    @property
    def sampling_factor(self) -> float:
        """Covariance of the batch gradient over C/batch_size: 1, or (N-B)/(N-1) without replacement.

        Raises
        ------
        ValueError
            The sampling is ``"shuffle"``, or ``"without"`` and ``n_samples`` is not known.
        """
        if self.sampling == "shuffle":
            raise ValueError(
                "sampling='shuffle' has no effective temperature, its noise is anti-correlated between steps; "
                "use sampling='replacement' or 'without'"
            )
        if self.sampling == "replacement":
            return 1.0
        if self.n_samples is None:
            raise ValueError("sampling='without' needs the size of the data set: give n_samples=")
        if self.n_samples == 1:
            return 0.0
        return (self.n_samples - self.batch_size) / (self.n_samples - 1)

    @property
    def effective_temperature(self) -> float:
        """Temperature with sampling and momentum: sampling_factor * effective_lr / (2 batch_size), in x^2/loss.

        The stationary covariance S of a quadratic with Hessian H solves H S + S H = 2 effective_temperature C in the
        limit of small lr, for every form of momentum.

        Raises
        ------
        ValueError
            The sampling is ``"shuffle"``, or ``"without"`` and ``n_samples`` is not known.
        """
        return self.sampling_factor * self.effective_lr / (2 * self.batch_size)

    @property
    def effective_lr(self) -> float:
        """Learning rate of the overdamped motion: lr (1 - dampening) / (1 - momentum).

        Every gradient moves x by that much in all: a velocity takes in 1 - dampening of it and keeps mu^k of that for k
        steps. Nesterov's form moves by (1 + mu) g at once and by mu^(k+1) g later, which is the same sum.
        """
        return self.lr * (1 - self.dampening) / (1 - self.momentum)

    def equivalent(self, *, batch_size: int | None = None, lr: float | None = None) -> SGD:
        """Return the settings of the same effective temperature at another batch size or learning rate.

        The linear scaling rule lr/batch_size = constant holds only with replacement; without replacement the factor
        (N-B)/(N-1) changes with the batch size and is accounted for.

        Parameters
        ----------
        batch_size, lr
            The new value of one of them; the other one follows.

        Returns
        -------
        SGD
            Settings with the same ``effective_temperature``.

        Raises
        ------
        ValueError
            None or both were given, the sampling has no temperature, or no whole batch size gives this temperature.
        """
        if (batch_size is None) == (lr is None):
            raise ValueError("give exactly one of batch_size= and lr=")
        if self.sampling_factor == 0:
            raise ValueError("every batch is the whole data set: without replacement the temperature is 0 at any lr")
        if batch_size is not None:
            return self._at_batch_size(batch_size)
        assert lr is not None
        return self._at_lr(lr)

    def _at_batch_size(self, batch_size: int) -> SGD:
        other = replace(self, batch_size=batch_size)
        if other.sampling_factor == 0:
            raise ValueError(f"batch_size={batch_size} is the whole data set: without replacement its temperature is 0")
        return replace(other, lr=self.lr * self.effective_temperature / other.effective_temperature)

    def _at_lr(self, lr: float) -> SGD:
        # factor(B)/B is 1/B with replacement and (N/B - 1)/(N - 1) without; it must become `ratio`
        other = replace(self, lr=lr)
        ratio = self.sampling_factor / self.batch_size * self.lr / other.lr
        n = self.n_samples
        exact = 1 / ratio if self.sampling == "replacement" or n is None else n / (1 + ratio * (n - 1))
        nearest = max(round(exact), 1)
        if abs(nearest - exact) > 1e-9 * exact:
            raise ValueError(
                f"lr={lr} needs batch_size={exact:.6g} for the same temperature, not a whole number; "
                f"batch_size={nearest} has it at lr={self._at_batch_size(nearest).lr:.6g}"
            )
        return replace(other, batch_size=nearest)


def require_sgd(sgd: object) -> None:
    """Raise ValueError unless these are settings of SGD."""
    if not isinstance(sgd, SGD):
        raise ValueError(f"sgd must be settings such as SGD(lr=0.1, batch_size=8), got {sgd!r:.60}")
