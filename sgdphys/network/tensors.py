"""Arrays of NumPy or torch in, arrays of the same kind out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["by_columns", "like", "numbers_like", "to_numpy", "to_tensor", "usable_device", "usable_dtype"]


def usable_device(device: torch.device | str | None) -> torch.device:
    """Return the device, after trying it; None is the CPU.

    Parameters
    ----------
    device
        A torch device or its name.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        torch has no such device here, or it holds no numbers.
    """
    try:
        chosen = torch.device("cpu" if device is None else device)
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError) as error:  # torch says it in one of these ways
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {str(device)!r} cannot be used: {reason}; leave it out for the CPU") from error
    if chosen.type == "meta":
        raise ValueError("device 'meta' holds no numbers; leave it out for the CPU")
    return chosen


def usable_dtype(dtype: torch.dtype | None) -> torch.dtype:
    """Return the floating type, of those that NumPy has too.

    Returns
    -------
    torch.dtype
        float64 for None.

    Raises
    ------
    ValueError
        It is another.
    """
    if dtype is None:
        return torch.float64
    if dtype not in [torch.float64, torch.float32, torch.float16]:
        raise ValueError(f"dtype must be torch.float64, torch.float32 or torch.float16, got {dtype!r:.60}")
    return dtype


def to_tensor(array: Any, *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the array as a detached tensor; floating values take ``dtype``, integers and booleans keep theirs."""
    if isinstance(array, torch.Tensor):
        tensor = array.detach()
    else:
        tensor = torch.as_tensor(np.require(array, requirements=["C", "W"]))  # torch warns of arrays that are read-only
    return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)


def numbers_like(name: str, array: Any, point: Tensor) -> Tensor:
    """Return real numbers, whole ones too, as a detached tensor of the dtype and on the device of ``point``.

    Parameters
    ----------
    name
        What the message calls them.
    array
        A tensor, an array or nested lists.
    point
        Tells dtype and device.

    Returns
    -------
    Tensor
        Of the shape of ``array``.

    Raises
    ------
    ValueError
        They are no real numbers.
    """
    values = array if isinstance(array, torch.Tensor) else _as_array(array)
    real = not values.is_complex() if isinstance(values, torch.Tensor) else values.dtype.kind in "fiub"
    if not real:
        raise ValueError(f"{name} must be real numbers, got {' '.join(repr(array).split()):.60}")
    return to_tensor(values, device=point.device, dtype=point.dtype).to(point.dtype)


def _as_array(values: Any) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(values)
    except ValueError:  # rows of unequal length
        return np.asarray(None)


def to_numpy(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Return the tensor as a NumPy array in host memory."""
    return tensor.detach().cpu().numpy()


def like(reference: Any, tensor: Tensor) -> Any:
    """Return the tensor as the kind of array that ``reference`` is: a tensor, or else a NumPy array."""
    return tensor.detach() if isinstance(reference, torch.Tensor) else to_numpy(tensor)


def by_columns(product: Callable[[Tensor], Tensor], v: Any, point: Tensor) -> Any:
    """Return ``product`` of ``v`` (d,), or of the columns of ``v`` (d, k), as the kind of array that ``v`` is."""
    columns = numbers_like("v", v, point)
    if columns.ndim == 1:
        return like(v, product(columns))
    return like(v, torch.stack([product(column) for column in columns.T], dim=1))
