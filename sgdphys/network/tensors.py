"""Arrays of NumPy or torch in, arrays of the same kind out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["like", "to_numpy", "to_tensor"]


def to_tensor(array: Any, *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the array as a detached tensor; floating values take ``dtype``, integers and booleans keep theirs."""
    tensor = array.detach() if isinstance(array, torch.Tensor) else torch.as_tensor(np.ascontiguousarray(array))
    return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)


def to_numpy(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Return the tensor as a NumPy array in host memory."""
    return tensor.detach().cpu().numpy()


def like(reference: Any, tensor: Tensor) -> Any:
    """Return the tensor as the kind of array that ``reference`` is: a tensor, or else a NumPy array."""
    return tensor.detach() if isinstance(reference, torch.Tensor) else to_numpy(tensor)
