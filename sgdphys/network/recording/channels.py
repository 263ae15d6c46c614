"""What a recording keeps, step by step: scalars, frames of sketch and position, anchors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from sgdphys import schema
from sgdphys.network.recording.count_sketches import CountSketch
from sgdphys.network.tensors import to_numpy, to_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from sgdphys.network.recording.settings import Recording

    Rows = dict[str, NDArray[Any]]
    Clock = float | Callable[[NDArray[np.int64]], NDArray[np.float64]]

__all__ = ["AXES", "SCALARS", "Channels"]

AXES = {"line": ("line_step", "line_time"), "time": ("step", "time"), "anchor_step": ("anchor_step", "anchor_time")}
"""Growing dimensions of a recording, each with the names of its steps and times."""

SCALARS = ("training_loss", "gradient_norm", "distance_from_start", "step_length", "step_alignment")

_PIECE = 2**16  # numbers that are looked at together and stay in cache
_PIECE_ON_DEVICE = 2**24


class Channels:
    r"""Rows of a recording of some replicas, made from their positions.

    With the displacement u = x - x_0 from a replica's own start and the move m = x - x' since the line before,
    :math:`|u|^2 = |u'|^2 + 2 \langle u', m \rangle + |m|^2`, the three numbers that a line keeps. All that is kept of a
    step comes from one pass over x, x_0 and x' in pieces that stay in cache; nothing else of their size is held or
    made. Rows stay on the device until they are taken.

    Parameters
    ----------
    recording
        What to keep.
    dim
        Number of parameters d.
    n_replicas
        Number of replicas.
    theta0
        Starts (replica, d); a copy is kept.
    device
        Where positions will come from.

    Raises
    ------
    ValueError
        The basis or the origin has another number of parameters.
    """

    def __init__(
        self, recording: Recording, dim: int, n_replicas: int, theta0: Tensor, device: torch.device | str
    ) -> None:
        self.recording, self.dim, self.n_replicas = recording, dim, n_replicas
        kind: dict[str, Any] = {"device": torch.device(device), "dtype": theta0.dtype}
        self.start = theta0.detach().clone().to(**kind)
        self.before = self.start.clone()
        own = recording.origin is None
        self.origin = self.start[0] if own else to_tensor(recording.origin, **kind)
        self.basis = None if recording.basis is None else to_tensor(recording.directions, **kind)
        self._check(dim)
        self.one_origin = bool((self.start == self.origin).all())
        self.sketch = CountSketch(dim, recording.sketch, recording.seed) if recording.sketch else None
        piece = _PIECE if self.start.device.type == "cpu" else _PIECE_ON_DEVICE
        self._width = max(piece // n_replicas, 1)
        self._rows: dict[str, list[dict[str, Any]]] = {axis: [] for axis in AXES}

    def _check(self, dim: int) -> None:
        for name, array in (("basis", self.basis), ("origin", self.origin)):
            if array is not None and len(array) != dim:
                raise ValueError(f"{name} of the recording has {len(array)} parameters, the network has {dim}")

    @property
    def n_directions(self) -> int:
        """Number of directions of the basis, 0 without one."""
        return 0 if self.basis is None else self.basis.shape[1]

    @property
    def dtype(self) -> str:
        """Floating type of sketches and anchors, as NumPy calls it."""
        return str(self.start.dtype).removeprefix("torch.")

    def due(self, step: int) -> bool:
        """Return whether ``observe`` keeps anything at a step; else it need not be called."""
        return self.recording.due(step)

    @torch.no_grad()
    def observe(
        self,
        step: int,
        positions: Tensor,
        losses: Tensor | None = None,
        gradient_norms: Tensor | None = None,
        *,
        velocities: Tensor | None = None,
    ) -> None:
        """Keep what is due after a number of steps.

        Parameters
        ----------
        step
            Steps taken since the start of the run; 0 for the start itself, which has no line of scalars.
        positions
            Parameters (replica, d).
        losses, gradient_norms
            Of the minibatch of the step before, (replica,).
        velocities
            Heavy-ball velocities (replica, d), kept at anchors.
        """
        recording = self.recording
        line, frame = step > 0 and recording.keeps_line(step), recording.keeps_frame(step)
        if line or frame:
            sums = _Sums(self, positions, line=line, frame=frame)
            for first in range(0, self.dim, self._width):
                sums.add(slice(first, first + self._width))
            if line:
                told = self._told(losses, gradient_norms)
                self._rows["line"].append({"step": step, **told, **sums.scalars()})
            if frame:
                self._rows["time"].append({"step": step, **sums.frame()})
        if recording.keeps_anchor(step):
            kept = {"anchor": positions} | ({} if velocities is None else {"anchor_velocity": velocities})
            # a copy in host memory: the caller goes on in the same tensors
            row = {name: tensor.detach().to("cpu", copy=True) for name, tensor in kept.items()}
            self._rows["anchor_step"].append({"step": step, **row})

    def _told(self, losses: Tensor | None, gradient_norms: Tensor | None) -> dict[str, Tensor]:
        unknown = self.start.new_full((self.n_replicas,), torch.nan)
        told = {"training_loss": losses, "gradient_norm": gradient_norms}
        return {name: unknown if values is None else values.detach() for name, values in told.items()}

    def set_before(self, positions: Tensor) -> None:
        """Let the next move count from these positions (replica, d), as where a run goes on."""
        self.before.copy_(positions)

    @property
    def waiting(self) -> dict[str, int]:
        """How many rows of each dimension were not taken yet."""
        return {axis: len(rows) for axis, rows in self._rows.items()}

    def take(self) -> dict[str, Rows]:
        """Hand over the rows kept so far, as arrays by growing dimension and name; ``step`` is among the names."""
        taken = {}
        for axis, rows in self._rows.items():
            if rows:
                names = [name for name in rows[0] if name != "step"]
                arrays = {name: to_numpy(torch.stack([row[name] for row in rows])) for name in names}
                taken[axis] = {"step": np.array([row["step"] for row in rows], np.int64), **arrays}
        self._rows = {axis: [] for axis in AXES}
        return taken

    def fixed(self) -> xr.Dataset:
        """Return what does not change: origin, basis and the labels of its directions."""
        variables: dict[str, Any] = {"origin": (schema.PARAMETER, to_numpy(self.origin), schema.describe("origin"))}
        if self.basis is None:
            return xr.Dataset(variables)
        dims = (schema.PARAMETER, schema.COORDINATE)
        variables["basis"] = (dims, self.recording.directions, schema.describe("basis"))
        given = self.recording.basis
        labels = {
            name: (schema.COORDINATE, given[name].values)
            for name in (schema.COORDINATE, "direction_kind")
            if hasattr(given, "data_vars") and name in given.coords
        }
        return xr.Dataset(variables, coords=labels)

    def result(self, lr: Clock) -> xr.Dataset:
        """Return all rows kept so far as a Dataset; it is a cloud where a basis was given.

        Parameters
        ----------
        lr
            Learning rate, so that time = lr * step; or a function from steps to times.

        Returns
        -------
        xr.Dataset
            Scalars over (line, particle), ``sketch`` and ``position`` over time, ``anchor`` over anchor_step.
        """
        clock = lr if callable(lr) else (lambda steps: lr * steps)
        variables: dict[str, Any] = {}
        coordinates: dict[str, Any] = {}
        for axis, rows in self.take().items():
            steps = rows.pop("step")
            step_name, time_name = AXES[axis]
            coordinates[step_name] = (axis, steps, schema.describe(step_name))
            coordinates[time_name] = (axis, np.asarray(clock(steps), np.float64), schema.describe(time_name))
            for name, values in rows.items():
                variables[name] = (schema.BY_NAME[name].dims, values, schema.describe(name))
        return self.fixed().assign(variables).assign_coords(coordinates)


class _Sums:
    """Sums over the parameters of one step, piece by piece."""

    def __init__(self, channels: Channels, positions: Tensor, *, line: bool, frame: bool) -> None:
        self.channels, self.positions, self.line, self.made = channels, positions, line, frame
        count = channels.n_replicas
        self.squared, self.moved, self.aligned = positions.new_zeros(3, count, dtype=torch.float64)
        recording = channels.recording
        self.position = positions.new_zeros(count, channels.n_directions) if frame and channels.n_directions else None
        self.signed = positions.new_zeros(count, 2 * recording.sketch) if frame and recording.sketch else None

    def add(self, piece: slice) -> None:
        """Add the parameters of a piece; where a line is kept, the next move counts from here."""
        channels = self.channels
        x = self.positions[:, piece]
        shift = x - channels.start[:, piece]
        if self.line:
            move = x - channels.before[:, piece]
            self.squared += torch.linalg.vecdot(shift, shift)
            self.moved += torch.linalg.vecdot(move, move)
            self.aligned += torch.linalg.vecdot(shift, move)
            channels.before[:, piece] = x
        if self.made:
            self._add_frame(piece, shift if channels.one_origin else x - channels.origin[piece])

    def _add_frame(self, piece: slice, offset: Tensor) -> None:
        channels = self.channels
        if self.position is not None and channels.basis is not None:
            self.position += offset @ channels.basis[piece]
        if self.signed is not None and channels.sketch is not None:
            channels.sketch.add(self.signed, offset, piece.start)

    def scalars(self) -> dict[str, Tensor]:
        """Return the numbers of a line, (replica,) each."""
        return {
            "distance_from_start": self.squared.sqrt(),
            "step_length": self.moved.sqrt(),
            "step_alignment": self.aligned - self.moved,
        }

    def frame(self) -> dict[str, Tensor]:
        """Return position and sketch as far as they are kept."""
        kept = {} if self.position is None else {"position": self.position}
        if self.signed is not None and self.channels.sketch is not None:
            kept["sketch"] = self.channels.sketch.fold(self.signed)
        return kept
