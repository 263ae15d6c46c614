"""Learning rate and batch size that change during a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sgdphys.checks import whole_number
from sgdphys.provenance import digest
from sgdphys.schedules.conversion import describe, evaluate
from sgdphys.schedules.data_order import samples_of, stage_beginnings, steps_per_epoch, within_stage
from sgdphys.schedules.equivalence import equivalent_stage
from sgdphys.schedules.stage_checks import VARYING, as_stages, as_step_numbers
from sgdphys.sgd import SGD

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]
    Counts = NDArray[np.int64]

__all__ = ["SGDSchedule"]

_MOST_INLINE = 256  # stages that a configuration writes out


@dataclass(frozen=True)
class SGDSchedule:
    r"""Settings of SGD in stages; learning rate and batch size may change, all else stays.

    Step k belongs to the stage that holds it, and the time before it is the sum of the learning rates so far,
    :math:`t_k = \sum_{j < k} \mathrm{lr}_j`.

    Parameters
    ----------
    stages
        Pairs of SGD settings and numbers of steps.
    functions
        What a configuration says of the functions that the stages were read from; see ``from_functions``.

    Raises
    ------
    ValueError
        There is no stage, a pair is none, a number of steps is not positive, or another setting than learning rate
        and batch size changes.

    References
    ----------
    Smith, Kindermans, Ying & Le 2018 (arXiv 1711.00489), for decaying the learning rate against growing the batch.
    """

    stages: Sequence[tuple[SGD, int]]
    functions: dict[str, Any] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", as_stages(self.stages, "n_steps"))

    @classmethod
    def from_epochs(cls, stages: Iterable[tuple[SGD, int]]) -> SGDSchedule:
        """Return the schedule whose stages last whole epochs of n_samples // batch_size steps.

        Parameters
        ----------
        stages
            Pairs of SGD settings, with ``n_samples``, and numbers of epochs.

        Returns
        -------
        SGDSchedule
            The same stages in steps.

        Raises
        ------
        ValueError
            A pair is none, ``n_samples`` is missing, or a number of epochs is no positive integer.
        """
        pairs = as_stages(stages, "epochs")
        return cls([(sgd, epochs * steps_per_epoch(sgd)) for sgd, epochs in pairs])

    @classmethod
    def from_functions(
        cls,
        sgd: SGD,
        n_steps: int,
        *,
        lr: Callable[[Any], Any] | None = None,
        batch_size: Callable[[Any], Any] | None = None,
    ) -> SGDSchedule:
        """Return the schedule of a learning rate and a batch size that are functions of the step.

        Consecutive steps of equal settings become one stage; a rate that changes at every step makes a stage of every
        step, at some microseconds and some hundred bytes each.

        Parameters
        ----------
        sgd
            All other settings, and the values of what is not given.
        n_steps
            Number of steps.
        lr, batch_size
            Functions of an array of absolute steps 0..n_steps-1, or of one step; also a schedule, read in steps.

        Returns
        -------
        SGDSchedule
            In stages.

        Raises
        ------
        ValueError
            A learning rate is not positive and finite, or a batch size no positive integer or too large.
        """
        for name, function in (("lr", lr), ("batch_size", batch_size)):
            if function is not None and not callable(function):
                raise ValueError(f"{name} must be a function of the step, or a schedule in steps, got {function!r:.60}")
        steps = np.arange(whole_number("n_steps", n_steps))
        lrs = np.full(len(steps), sgd.lr) if lr is None else evaluate("lr", lr, steps, "positive", "step")
        sizes = np.full(len(steps), sgd.batch_size) if batch_size is None else _whole_sizes(batch_size, steps)
        first = np.flatnonzero(np.append(True, (np.diff(lrs) != 0) | (np.diff(sizes) != 0)))
        lengths = np.diff(np.append(first, len(steps))).tolist()
        each = zip(lrs[first].tolist(), sizes[first].tolist(), lengths, strict=True)
        stages = [(replace(sgd, lr=rate, batch_size=size), length) for rate, size, length in each]
        return cls(stages, {name: describe(f) for name, f in (("lr", lr), ("batch_size", batch_size)) if f})

    @property
    def sgd(self) -> SGD:
        """The settings of the first stage; all but learning rate and batch size hold throughout."""
        return self.stages[0][0]

    @property
    def n_steps(self) -> int:
        """Number of steps of all stages."""
        return int(self._ends[-1])

    def lr(self, steps: ArrayLike) -> Array:
        """Return the learning rate of absolute steps 0..n_steps-1; ValueError beyond."""
        return self._rates[self._stage_at(steps)]

    def batch_size(self, steps: ArrayLike) -> Counts:
        """Return the batch size of absolute steps 0..n_steps-1, int64; ValueError beyond."""
        return self._sizes[self._stage_at(steps)]

    def sampling_factor(self, steps: ArrayLike) -> Array:
        """Return the sampling factor of steps 0..n_steps-1 at their batch sizes; ValueError for shuffling."""
        return np.array([sgd.sampling_factor for sgd, _ in self.stages])[self._stage_at(steps)]

    def temperature(self, steps: ArrayLike) -> Array:
        """Return the effective temperature of steps 0..n_steps-1, in x^2/loss; ValueError for shuffling."""
        return np.array([sgd.effective_temperature for sgd, _ in self.stages])[self._stage_at(steps)]

    def times(self, steps: ArrayLike) -> Array:
        """Return the time before absolute steps 0..n_steps (the end): the sum of the learning rates before them."""
        numbers = as_step_numbers(steps, self.n_steps)
        stage = self._stage_of(numbers)
        return np.asarray(self._times[stage] + self._rates[stage] * (numbers - self._begins[stage]))

    def epoch_and_offset(self, steps: ArrayLike) -> tuple[Counts, Counts]:
        """Return the epoch and the position in it of the first sample of a step's batch.

        The order of an epoch goes on over the stages; an epoch ends when the next batch would not fit, and the samples
        left over are dropped. For one batch size B of N samples that is k // (N // B) and B (k % (N // B)).

        Parameters
        ----------
        steps
            Absolute steps 0..n_steps; the end is read as one step more at the last batch size.

        Returns
        -------
        tuple
            Epochs and positions, int64, each of the shape of ``steps``.

        Raises
        ------
        ValueError
            A step lies beyond the end, or ``n_samples`` is not known.
        """
        numbers = as_step_numbers(steps, self.n_steps)
        stage = self._stage_of(numbers)
        epochs, offsets = self._data_order
        place = (epochs[stage], offsets[stage], numbers - self._begins[stage])
        return within_stage(*place, self._sizes[stage], samples_of(self.sgd))

    def axes(self, steps: ArrayLike | None = None) -> dict[str, NDArray[Any]]:
        """Return the three clocks of a trajectory.

        Parameters
        ----------
        steps
            Absolute steps 0..n_steps; None for the beginning and the end of every stage.

        Returns
        -------
        dict
            ``updates`` (int64), ``epochs`` (each of n_samples // batch_size updates; fractions are counted) and
            ``time`` (sum of the learning rates, in x^2/loss), each of the shape of ``steps``.

        Raises
        ------
        ValueError
            A step lies beyond the end, or ``n_samples`` is not known.
        """
        numbers = as_step_numbers(np.append(0, self._ends) if steps is None else steps, self.n_steps)
        stage = self._stage_of(numbers)
        per_epoch = samples_of(self.sgd) // self._sizes
        before = np.append(0.0, np.cumsum(self._lengths / per_epoch))
        epochs = before[stage] + (numbers - self._begins[stage]) / per_epoch[stage]
        return {"updates": numbers, "epochs": epochs, "time": self.times(numbers)}

    def equivalent(self, *, by: Literal["batch_size", "lr"]) -> SGDSchedule:
        r"""Return the schedule of the same effective temperatures and epochs that changes only one of the settings.

        ``by="batch_size"`` keeps the learning rate of the first stage and lets the batch grow where it dropped;
        ``by="lr"`` keeps the batch size of the first stage. With replacement the time of every stage is the same too.

        The two are equal in the limit :math:`\mathrm{lr}\,h \to 0` of the stochastic differential equation: on a
        quadratic of curvature h the stationary variances differ by the factor
        :math:`(2 - \mathrm{lr}_2 h)/(2 - \mathrm{lr}_1 h)`, and the equivalence is meant for batches up to about a
        tenth of the data set.

        Parameters
        ----------
        by
            What changes in the result.

        Returns
        -------
        SGDSchedule
            With as many stages.

        Raises
        ------
        ValueError
            No whole batch size, none within the data set, or no whole number of steps serves a stage, or the sampling
            has no temperature.

        References
        ----------
        Smith, Kindermans, Ying & Le 2018 (arXiv 1711.00489), sections 3 and 4.
        """
        if not (isinstance(by, str) and by in VARYING):
            raise ValueError(f"by must be 'batch_size' or 'lr', got {by!r:.60}")
        return SGDSchedule([equivalent_stage(n, stage, self.sgd, by) for n, stage in enumerate(self.stages, start=1)])

    def configuration(self) -> dict[str, Any]:
        """Return the common settings, and learning rate, batch size and steps of each stage (a hash of very many)."""
        common = {name: value for name, value in asdict(self.sgd).items() if name not in VARYING}
        table = [[sgd.lr, sgd.batch_size, length] for sgd, length in self.stages]
        stages = table if len(table) <= _MOST_INLINE else {"count": len(table), "array": digest(table)}
        functions = {} if self.functions is None else {"functions": self.functions}
        return {"schedule": "SGDSchedule", "sgd": common, "stages": stages, **functions}

    @cached_property
    def _rates(self) -> Array:
        return np.array([sgd.lr for sgd, _ in self.stages])

    @cached_property
    def _sizes(self) -> Counts:
        return np.array([sgd.batch_size for sgd, _ in self.stages], dtype=np.int64)

    @cached_property
    def _lengths(self) -> Counts:
        return np.array([length for _, length in self.stages], dtype=np.int64)

    @cached_property
    def _ends(self) -> Counts:
        return np.cumsum(self._lengths)

    @cached_property
    def _begins(self) -> Counts:
        return self._ends - self._lengths

    @cached_property
    def _times(self) -> Array:
        """Times at the beginnings of the stages."""
        sums = np.cumsum(self._rates.astype(np.longdouble) * self._lengths)
        return np.append(0.0, sums[:-1]).astype(np.float64)

    @cached_property
    def _data_order(self) -> tuple[Counts, Counts]:
        return stage_beginnings(self._sizes, self._lengths, samples_of(self.sgd))

    def _stage_at(self, steps: ArrayLike) -> Counts:
        return self._stage_of(as_step_numbers(steps, self.n_steps - 1))

    def _stage_of(self, numbers: Counts) -> Counts:
        # the step after the last belongs to the last stage
        return np.asarray(np.minimum(np.searchsorted(self._ends, numbers, side="right"), len(self.stages) - 1))


def _whole_sizes(function: Callable[[Any], Any], steps: Counts) -> Counts:
    values = evaluate("batch_size", function, steps, "positive", "step")
    for k in np.flatnonzero(values != np.round(values))[:1]:
        raise ValueError(f"batch_size at step {k} must be a positive integer, got {values[k]:g}")
    return values.astype(np.int64)
