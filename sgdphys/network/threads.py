"""How many threads torch uses inside an operation: one for small networks, where several only wait for each other."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sgdphys.network.objective import Objective

__all__ = ["BYTES_PER_THREAD", "few_threads", "threads_inside"]

BYTES_PER_THREAD = 16 * 2**20  # activations of the whole data set that keep a thread busy

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class _HasObjective(Protocol):
    @property
    def objective(self) -> Objective: ...


Owner = TypeVar("Owner", bound=_HasObjective)


@contextmanager
def threads_inside(count: int) -> Iterator[None]:
    """Let torch use this many threads inside an operation, and what it used before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def few_threads(
    method: Callable[Concatenate[Owner, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Result]:
    """Make a method of an owner of an ``objective`` run with gradients on and as many threads as its data need."""

    @functools.wraps(method)
    def limited(self: Owner, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        data = self.objective
        useful = max(1, data.n_samples * data.bytes_per_sample // BYTES_PER_THREAD)
        with threads_inside(min(torch.get_num_threads(), useful)), torch.inference_mode(False), torch.enable_grad():
            return method(self, *args, **kwargs)

    return limited
