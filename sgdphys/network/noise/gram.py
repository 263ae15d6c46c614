"""Scalar products of all per-sample gradients: layer by layer where the layers are known, from gradients elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from sgdphys.network.noise.data_pieces import add_block, pairs
from sgdphys.network.noise.gram_work import GramWork
from sgdphys.network.noise.layer_products import products, squared_norms, sum_of_squares
from sgdphys.network.noise.layer_records import LayoutError
from sgdphys.network.noise.per_sample import sample_gradients

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from torch import Tensor

    from sgdphys.network.noise.layer_records import LayerRecords
    from sgdphys.network.noise.layer_uses import Use

__all__ = ["GramMaker", "MixedSamplesError"]


class MixedSamplesError(ValueError):
    """The gradients of single samples do not add up."""


class GramMaker(GramWork):
    """Raw scalar products g_i . g_j of the per-sample gradients at one point."""

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
        if self.strict:
            self._refuse_above_limit(groups)
        # a parameter may have got another use since its trial at another point; the samples may move with their number
        for maker in (replace(self, trusting=True), self):
            try:
                return maker._matrices(groups)
            except (MixedSamplesError, LayoutError):
                continue
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
            for rows in self._single_rows:
                uses = self._records(rows).uses
                yield from ((rows, name, uses[name]) for name in uses if name in names)

    def _unknown_gradients(self, names: Collection[str]) -> Iterator[tuple[slice, str, Tensor]]:
        for some in self._parts([name for name in self.unknown if name in names]):
            self._refuse(self._gradient_bytes(some), f"the gradient of one sample by {', '.join(some)}", "allow more")
            sizes = [self._shapes[name].numel() for name in some]
            for rows in self.gradient_rows(some):
                found = torch.split(sample_gradients(self.objective, self.point, rows, some), sizes, dim=1)
                yield from ((rows, name, part) for name, part in zip(some, found, strict=True))

    def _add_unknown(self, matrix: Tensor, names: Collection[str]) -> None:
        for some in self._parts([name for name in self.unknown if name in names]):

            def made(rows: slice, some: tuple[str, ...] = some) -> Tensor:
                return sample_gradients(self.objective, self.point, rows, some)

            for rows, others, first, second in pairs(self.gradient_rows(some), made):
                add_block(matrix, rows, others, first @ second.T)

    def _check_sum(self, matrix: Tensor, names: Collection[str], total: dict[str, Tensor]) -> None:
        whole = sum(float(total[name].flatten() @ total[name].flatten()) for name in names)
        scale = len(matrix) * float(matrix.trace()) + whole
        if abs(float(matrix.sum()) - whole) > 1e4 * torch.finfo(matrix.dtype).eps * scale:
            raise MixedSamplesError(
                "the gradients of single samples do not add up to the gradient of the batch "
                f"({float(matrix.sum()):.6g} against {whole:.6g}, squared): the model or the loss mixes the samples; "
                "ask for the noise of batches, unit='batch'"
            )


def _parameters(records: LayerRecords, names: Collection[str]) -> Iterator[tuple[str, bool]]:
    """Yield the parameters to multiply, each with whether the bias of its uses goes with it."""
    joined = {bias: name for bias, name in records.matrix_of_bias.items() if bias in names and name in names}
    for name in records.uses:
        if name in names and name not in joined:
            yield name, name in joined.values()
