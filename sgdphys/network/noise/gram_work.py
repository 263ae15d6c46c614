"""Which parameters go by the layers, in which pieces of the data set, and what that takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

from sgdphys.errors import MemoryLimitError
from sgdphys.network.noise.data_pieces import cut
from sgdphys.network.noise.layer_products import squared_norms, weighted_sum, working_bytes
from sgdphys.network.noise.layer_records import record_layers
from sgdphys.network.noise.peak_memory import Growth, growth_of
from sgdphys.network.noise.per_sample import sample_gradients
from sgdphys.network.noise.plans import Work
from sgdphys.simulation.memory import readable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torch import Tensor

    from sgdphys.network.noise.layer_records import LayerRecords, Layouts
    from sgdphys.network.noise.layer_uses import Use
    from sgdphys.network.objective import Objective

__all__ = ["GramWork"]

_TRIAL_SAMPLES = 4
_DIVISIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # numbers of pieces that are tried

_TRIED: WeakKeyDictionary[Any, tuple[Any, Tensor, Layouts]] = WeakKeyDictionary()  # of each model: its last trial


@dataclass(frozen=True)
class GramWork:
    """What it takes to make scalar products of the per-sample gradients at one point, within a limit of memory.

    Which parameters go by the layers is tried on a few samples: those whose weighted sum of per-sample gradients, as
    the layers give it, is the gradient of the weighted loss. So a parameter that is also used outside of its layer, or
    a layer that does not have the samples where they seem to be, goes by per-sample gradients.

    Parameters
    ----------
    objective
        The regularised loss.
    point
        Flat parameters (d,).
    max_bytes
        What records and gradients may take at once.
    by_layers
        Whether to try the layers at all.
    strict
        Whether to refuse what takes more, instead of taking the smallest pieces.
    trusting
        Whether a trial of the same model at another point is enough, where the result is checked.
    """

    objective: Objective
    point: Tensor
    max_bytes: int
    by_layers: bool = True
    strict: bool = False
    trusting: bool = False

    @cached_property
    def layouts(self) -> Layouts:
        """Where each call of a layer has its samples, with the names of the parameters that go by the layers."""
        if not self.by_layers:
            return []
        n = min(self.objective.n_samples, _TRIAL_SAMPLES)
        model = self.objective.model
        signature = (n, self.objective.loss, model.module is not None and model.module.training)
        tried, point, found = _TRIED.get(model, (None, self.point, []))
        if tried != signature or not (self.trusting or torch.equal(point, self.point)):
            found = self._tried(n)
            _TRIED[model] = signature, self.point, found
        return found

    def _tried(self, n: int) -> Layouts:
        """Return the layouts with the parameters that pass the trial with some samples."""
        weights = torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(self.point)
        records = record_layers(self.objective, self.point, slice(0, n), weights)
        right = {name for name, uses in records.uses.items() if _explains(records, name, uses, weights)}
        return [(layout, names & right) for layout, names in records.layouts]

    @cached_property
    def known(self) -> tuple[str, ...]:
        """Names of the parameters that go by the layers."""
        covered = frozenset[str]().union(*(names for _, names in self.layouts))
        return tuple(name for name in self.objective.model.names if name in covered)

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Names of the parameters that go by per-sample gradients."""
        return tuple(name for name in self.objective.model.names if name not in self.known)

    @cached_property
    def _single_rows(self) -> list[slice]:
        """Pieces of the data set, one of which is recorded at once."""
        size = n = self.objective.n_samples
        if not self._surely_fits:
            while size and self._single_bytes(size) > self.max_bytes:
                size = size * 3 // 4
            if not size:
                self._refuse(self._single_bytes(1), "one sample at a time by the layers", "allow more")
        return cut(n, max(size, 1), 1)

    def _single_bytes(self, n: int) -> int:
        return self.record_growth.peak_of(n) + self._block_bytes(n) + 3 * self.point.nbytes

    def _refuse_above_limit(self, groups: Sequence[Collection[str]]) -> None:
        names = frozenset[str]().union(*groups)
        more = (len(groups) - 1) * self.objective.n_samples**2 * self.point.element_size()
        if more or not self._surely_fits or any(name in names for name in self.unknown):
            what = f"the Gram matrix of {self.objective.n_samples} samples"
            way_out = "allow more, take fewer by n_samples=, or use matvec or project"
            self._refuse(self.work(names).n_bytes + more, f"{what}{' by layer' if more else ''}", way_out)

    def _refuse(self, n_bytes: int, what: str, way_out: str) -> None:
        if self.strict and n_bytes > self.max_bytes:
            raise MemoryLimitError(
                f"{what}: {readable(n_bytes)} are needed, max_memory= allows {readable(self.max_bytes)}; {way_out}"
            )

    @property
    def record_rows(self) -> list[slice]:
        """Pieces of the data set, one or two of which are recorded at once."""
        return cut(self.objective.n_samples, self._division[0], 1)

    @property
    def keeps_records(self) -> bool:
        """Whether the records of all samples stay in memory."""
        return self._division[1]

    @cached_property
    def _division(self) -> tuple[int, bool]:
        """Samples of a piece, and whether all records are kept: the first choice that fits."""
        n = self.objective.n_samples
        if self._surely_fits:
            return n, True
        for count, keep in ((count, keep) for count in _DIVISIONS for keep in (True, False)):
            at_once = -(-n // count)
            if self._bytes(at_once, keep) <= self.max_bytes:
                return at_once, keep
        return max(1, n // _DIVISIONS[-1]), False

    @property
    def _surely_fits(self) -> bool:
        n = self.objective.n_samples
        return 8 * n * (self.objective.bytes_per_sample + n * 8) + 8 * self.point.nbytes <= self.max_bytes

    def _block_bytes(self, n: int) -> int:
        same = n == self.objective.n_samples
        each = (working_bytes(uses, n, self._shapes[name], same) for name, uses in self._few_uses.items())
        return max(each, default=0)

    def _bytes(self, at_once: int, keep: bool) -> int:
        """Return the bytes of a Gram matrix by the layers from pieces of so many samples."""
        n, size = self.objective.n_samples, self.point.element_size()
        kept = self.record_growth.kept_of(n if keep else min(at_once * 2, n))
        block = self._block_bytes(at_once)
        block += 2 * self.objective.dim * size if at_once < n else 0  # the summed gradient, to check the sum with
        making = self.record_growth.peak_of(at_once) + (kept if at_once < n else 0)
        return n**2 * size + max(making, kept + block, n**2 * 8 if size != 8 else 0)

    @cached_property
    def _few_uses(self) -> dict[str, list[Use]]:
        return self._records(slice(0, min(2, self.objective.n_samples))).uses

    def gradient_rows(self, names: Sequence[str]) -> list[slice]:
        """Return the pieces of the data set, two of which have their gradients by these parameters at once."""
        return cut(self.objective.n_samples, self.max_bytes // 2, self._gradient_bytes(names))

    def _gradient_bytes(self, names: Sequence[str]) -> int:
        return 3 * self.n_numbers(names) * self.point.element_size() + self.objective.bytes_per_sample

    def work(self, names: Collection[str]) -> Work:
        """Return route, bytes and passes of the Gram matrix of these parameters, before it is made."""
        n, size = self.objective.n_samples, self.point.element_size()
        passes = 1.0 if self.keeps_records else _passes(self.record_rows)
        held = self._bytes(self.record_rows[0].stop, self.keeps_records)
        for some in self._parts([name for name in self.unknown if name in names]):
            cuts = self.gradient_rows(some)
            passes += _passes(cuts)
            growth = self._gradient_growth(some)
            more = growth.kept_of(cuts[0].stop) if len(cuts) > 1 else 0
            kept = growth.kept_of(cuts[0].stop) + cuts[0].stop ** 2 * size
            held = max(held, n**2 * size + self.point.nbytes + more + max(growth.peak_of(cuts[0].stop), kept))
        route = f"layers ({len(self.known)} of {len(self._shapes)} parameter tensors)"
        return Work(route, held, passes)

    @cached_property
    def record_growth(self) -> Growth:
        """Memory of the records of some samples."""

        def record(n: int) -> LayerRecords:
            return record_layers(self.objective, self.point, slice(0, n), layouts=self.layouts)

        return growth_of(record, self.objective.n_samples, self.point.device)

    def _gradient_growth(self, names: Sequence[str]) -> Growth:
        def gradients(n: int) -> Tensor:
            return sample_gradients(self.objective, self.point, slice(0, n), names)

        return growth_of(gradients, self.objective.n_samples, self.point.device)

    def _parts(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the parameters in lots whose gradients fit into memory for all samples, one by one at least."""
        lots: list[tuple[str, ...]] = []
        for name in names:
            longer = (*lots[-1], name) if lots else (name,)
            if lots and len(self.gradient_rows(longer)) == 1:
                lots[-1] = longer
            else:
                lots.append((name,))
        return lots

    def n_numbers(self, names: Collection[str]) -> int:
        """Return how many numbers these parameters are."""
        return sum(self._shapes[name].numel() for name in names)

    def _records(self, rows: slice) -> LayerRecords:
        return record_layers(self.objective, self.point, rows, layouts=self.layouts)

    @cached_property
    def _shapes(self) -> dict[str, torch.Size]:
        return dict(zip(self.objective.model.names, self.objective.model.shapes, strict=True))


def _passes(pieces: Sequence[slice]) -> float:
    """Return how often a sample is met on average, when a piece is made for itself and again for every later one."""
    made = sum((rows.stop - rows.start) * (len(pieces) - index) for index, rows in enumerate(pieces))
    return float(made / pieces[-1].stop)


def _explains(records: LayerRecords, name: str, uses: Sequence[Use], weights: Tensor) -> bool:
    exact = records.gradients[name]
    found, size = weighted_sum(uses, weights, exact.shape), squared_norms(uses, exact.shape).sqrt() @ weights.abs()
    return bool((found - exact).norm() <= torch.finfo(exact.dtype).eps ** 0.6 * size)
