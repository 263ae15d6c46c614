"""What to keep of a long run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sgdphys.checks import number_array, whole_number
from sgdphys.kernels.philox import key_of
from sgdphys.network.recording.anchors import is_anchor

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Recording"]


@dataclass(frozen=True, eq=False)
class Recording:
    """What to keep of a run of many steps in many dimensions.

    Parameters
    ----------
    every
        Steps between two lines of exact scalars: minibatch loss, gradient norm, distance from the start, length of the
        move since the line before and its product with the displacement.
    frames
        Steps between two frames of sketch and position.
    sketch
        Numbers k of a count sketch, relative error sqrt(2/k) of squared distances; 0 for none.
    basis
        Orthonormal directions V, (parameter, direction), along which the exact position V'(x - origin) is kept; or a
        Dataset with ``basis`` and perhaps ``origin``, as ``named_basis`` makes. None for none.
    origin
        Where positions and sketches count from, (parameter,); default that of the basis, else the start of the first
        replica.
    anchors
        Number of steps per factor of ten at which all parameters are kept; the start always is, unless 0 is given.
    seed
        Names the sketch.

    Raises
    ------
    ValueError
        A number is not whole or too small, the directions are not orthonormal, or the origin is not finite or does
        not fit them.
    """

    every: int = 1
    frames: int = 10
    sketch: int = 1024
    basis: Any = None
    origin: Any = None
    anchors: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("every", 1), ("frames", 1), ("sketch", 0), ("anchors", 0)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least=least))
        key_of(self.seed)
        origin = self.origin
        if origin is None and hasattr(self.basis, "data_vars") and "origin" in self.basis:
            origin = self.basis["origin"].values
        object.__setattr__(self, "origin", None if origin is None else np.ravel(number_array("origin", origin)))
        if self.origin is not None and not np.isfinite(self.origin).all():
            raise ValueError("origin holds NaN or infinity; give a point, or leave it out for the start")
        if self.basis is not None:
            _check(self.directions, self.origin)

    @property
    def directions(self) -> NDArray[np.float64]:
        """The directions V as an array, (parameter, direction)."""
        return number_array("basis", self.basis["basis"].values if hasattr(self.basis, "data_vars") else self.basis)

    def keeps_line(self, step: int) -> bool:
        """Return whether scalars are kept at a step."""
        return step % self.every == 0

    def keeps_frame(self, step: int) -> bool:
        """Return whether sketch and position are kept at a step."""
        return step % self.frames == 0 and (self.sketch > 0 or self.basis is not None)

    def keeps_anchor(self, step: int) -> bool:
        """Return whether all parameters are kept at a step."""
        return is_anchor(step, self.anchors)

    def due(self, step: int) -> bool:
        """Return whether anything is kept at a step."""
        return self.keeps_line(step) or self.keeps_frame(step) or self.keeps_anchor(step)

    def configuration(self) -> dict[str, Any]:
        """Return the settings as plain values; basis and origin are variables of the result."""
        names = ("every", "frames", "sketch", "anchors", "seed")
        return {name: getattr(self, name) for name in names}


def _check(directions: NDArray[np.float64], origin: NDArray[np.float64] | None) -> None:
    if directions.ndim != 2 or not directions.size:
        raise ValueError(f"basis must have the shape (parameter, direction), got {directions.shape}")
    gap = float(np.abs(directions.T @ directions - np.eye(directions.shape[1])).max())
    if not gap < 1e-6:
        raise ValueError(
            f"the columns of basis must be orthonormal, V'V differs from 1 by {gap:.2g}: use its QR factor"
        )
    if origin is not None and origin.shape != (len(directions),):
        raise ValueError(f"origin must have {len(directions)} parameters like the basis, got {origin.size}")
