"""Scalar products of all per-sample gradients: layer by layer where the layers are known, from gradients elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from sgdphys.network.noise.data_pieces import add_block, cut, pairs
from sgdphys.network.noise.layer_products import products, squared_norms, sum_of_squares, weighted_sum, working_bytes
from sgdphys.network.noise.layer_records import LayoutError, record_layers
from sgdphys.network.noise.peak_memory import Growth, growth_of
from sgdphys.network.noise.per_sample import sample_gradients
from sgdphys.network.noise.plans import Work

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from torch import Tensor

    from sgdphys.network.noise.layer_records import LayerRecords, Layouts
    from sgdphys.network.noise.layer_uses import Use
    from sgdphys.network.objective import Objective

__all__ = ["GramMaker"]

_TRIAL_SAMPLES = 4
_DIVISIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # numbers of pieces that are tried


@dataclass(frozen=True)
class GramMaker:
    """Raw scalar products g_i . g_j of the per-sample gradients at one point.

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
    """

    objective: Objective
    point: Tensor
    max_bytes: int
    by_layers: bool = True

    @cached_property
    def layouts(self) -> Layouts:
        """Where each call of a layer has its samples, with the names of the parameters that go by the layers."""
        if not self.by_layers:
            return []
        n = min(self.objective.n_samples, _TRIAL_SAMPLES)
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

    def matrices(self, groups: Sequence[Collection[str]]) -> list[Tensor]:
        """Return the products (n, n) by the parameters of each group of names.

        Returns
        -------
        list of Tensor
            One matrix a group.

        Raises
        ------
        ValueError
            They do not add up to the squared gradient of the whole data set.
        """
        try:
            return self._matrices(groups)
        except LayoutError:  # the samples moved with their number
            return replace(self, by_layers=False)._matrices(groups)

    def _matrices(self, groups: Sequence[Collection[str]]) -> list[Tensor]:
        n = self.objective.n_samples
        results = [self.point.new_zeros(n, n) for _ in groups]
        total = self._add_known(results, groups)
        for matrix, names in zip(results, groups, strict=True):
            self._add_unknown(matrix, names)
            self._check_sum(matrix, names, total)
        return results

    def _add_known(self, results: Sequence[Tensor], groups: Sequence[Collection[str]]) -> dict[str, Tensor]:
        """Add the products by the layers to the matrix of each group; return the gradient of all samples by name."""
        total: dict[str, Tensor] = {}
        for rows, others, first, second in pairs(self.record_rows, self._records, self.keeps_records):
            if rows is others:
                total = {name: total[name] + g if total else g for name, g in first.gradients.items()}
            for matrix, names in zip(results, groups, strict=True):
                for name, with_bias in _parameters(first, names):
                    shape = self._shapes[name]
                    add_block(matrix, rows, others, products(first.uses[name], second.uses[name], shape, with_bias))
        return total

    def norms(self, names: Collection[str]) -> dict[str, Tensor]:
        """Return the squared norms (n,) of the per-sample gradients by each of some parameters."""
        result = {name: self.point.new_zeros(self.objective.n_samples) for name in self._shapes if name in names}
        for rows, name, uses in self._known_uses(names):
            result[name][rows] = squared_norms(uses, self._shapes[name])
        for rows, name, gradients in self._unknown_gradients(names):
            result[name][rows] = gradients.square().sum(dim=1)
        return result

    def second_moments(self, names: Collection[str]) -> dict[str, Tensor]:
        """Return the mean squares of the per-sample gradients by each of some parameters, in its shape."""
        result = {name: self.point.new_zeros(shape) for name, shape in self._shapes.items() if name in names}
        for _, name, uses in self._known_uses(names):
            result[name] += sum_of_squares(uses, self._shapes[name])
        for _, name, gradients in self._unknown_gradients(names):
            result[name] += gradients.square().sum(dim=0).view(self._shapes[name])
        return {name: total / self.objective.n_samples for name, total in result.items()}

    def _known_uses(self, names: Collection[str]) -> Iterator[tuple[slice, str, list[Use]]]:
        if any(name in names for name in self.known):
            for rows in self.record_rows:
                uses = self._records(rows).uses
                yield from ((rows, name, uses[name]) for name in uses if name in names)

    def _unknown_gradients(self, names: Collection[str]) -> Iterator[tuple[slice, str, Tensor]]:
        for some in self._parts([name for name in self.unknown if name in names]):
            sizes = [self._shapes[name].numel() for name in some]
            for rows in self.gradient_rows(some):
                found = torch.split(sample_gradients(self.objective, self.point, rows, some), sizes, dim=1)
                yield from ((rows, name, part) for name, part in zip(some, found, strict=True))

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
        if 4 * n * (self.objective.bytes_per_sample + n * 8) + 4 * self.point.nbytes <= self.max_bytes:
            return n, True  # surely
        for count, keep in ((count, keep) for count in _DIVISIONS for keep in (True, False)):
            at_once = -(-n // count)
            if self._bytes(at_once, keep) <= self.max_bytes:
                return at_once, keep
        return max(1, n // _DIVISIONS[-1]), False

    def _bytes(self, at_once: int, keep: bool) -> int:
        """Return the bytes of a Gram matrix by the layers from pieces of so many samples."""
        n, size = self.objective.n_samples, self.point.element_size()
        kept = self.record_growth.kept_of(n if keep else min(at_once * 2, n))
        block = max(
            (working_bytes(uses, at_once, self._shapes[name]) for name, uses in self._few_uses.items()), default=0
        )
        block += 2 * self.objective.dim * size if at_once < n else 0  # the summed gradient, to check the sum with
        making = self.record_growth.peak_of(at_once) + (kept if at_once < n else 0)
        return n**2 * size + max(making, kept + block, n**2 * 8 if size != 8 else 0)

    @cached_property
    def _few_uses(self) -> dict[str, list[Use]]:
        return self._records(slice(0, min(2, self.objective.n_samples))).uses

    def gradient_rows(self, names: Sequence[str]) -> list[slice]:
        """Return the pieces of the data set, two of which have their gradients by these parameters at once."""
        size = 3 * self.n_numbers(names) * self.point.element_size() + self.objective.bytes_per_sample
        return cut(self.objective.n_samples, self.max_bytes // 2, size)

    def work(self, names: Collection[str]) -> Work:
        """Return route, bytes and passes of the Gram matrix of these parameters, before it is made."""
        n, size, count = self.objective.n_samples, self.point.element_size(), len(self.record_rows)
        passes = float(count if self.keeps_records else count * (count + 1) / 2)
        held = self._bytes(self.record_rows[0].stop, self.keeps_records)
        for some in self._parts([name for name in self.unknown if name in names]):
            cuts = self.gradient_rows(some)
            passes += len(cuts) * (len(cuts) + 1) / 2
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

    def _add_unknown(self, matrix: Tensor, names: Collection[str]) -> None:
        for some in self._parts([name for name in self.unknown if name in names]):

            def made(rows: slice, some: tuple[str, ...] = some) -> Tensor:
                return sample_gradients(self.objective, self.point, rows, some)

            for rows, others, first, second in pairs(self.gradient_rows(some), made):
                add_block(matrix, rows, others, first @ second.T)

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

    def _check_sum(self, matrix: Tensor, names: Collection[str], total: dict[str, Tensor]) -> None:
        whole = sum(float(total[name].flatten() @ total[name].flatten()) for name in names)
        scale = len(matrix) * float(matrix.trace()) + whole
        if abs(float(matrix.sum()) - whole) > 1e4 * torch.finfo(matrix.dtype).eps * scale:
            raise ValueError(
                "the gradients of single samples do not add up to the gradient of the batch "
                f"({float(matrix.sum()):.6g} against {whole:.6g}, squared): the model or the loss mixes the samples; "
                "ask for the noise of batches, unit='batch'"
            )

    @cached_property
    def _shapes(self) -> dict[str, torch.Size]:
        return dict(zip(self.objective.model.names, self.objective.model.shapes, strict=True))


def _parameters(records: LayerRecords, names: Collection[str]) -> Iterator[tuple[str, bool]]:
    """Yield the parameters to multiply, each with whether the bias of its uses goes with it."""
    joined = {bias: name for bias, name in records.matrix_of_bias.items() if bias in names and name in names}
    for name in records.uses:
        if name in names and name not in joined:
            yield name, name in joined.values()


def _explains(records: LayerRecords, name: str, uses: Sequence[Use], weights: Tensor) -> bool:
    exact = records.gradients[name]
    found, size = weighted_sum(uses, weights, exact.shape), squared_norms(uses, exact.shape).sqrt() @ weights.abs()
    return bool((found - exact).norm() <= torch.finfo(exact.dtype).eps ** 0.6 * size)
