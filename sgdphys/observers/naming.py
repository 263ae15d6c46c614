"""Names of observers, so that several of one kind can watch one run."""

from __future__ import annotations

from dataclasses import dataclass, field

from sgdphys import schema
from sgdphys.observers.observation import Variables

__all__ = ["NamedObserver"]

_SHARED = {schema.PARTICLE, schema.COORDINATE, "coordinate_2"}


@dataclass(frozen=True)
class NamedObserver:
    """What the observers of this package share: ``name``, which begins the names of all that they return.

    With ``name="left"`` the variable ``first_passage_time`` is called ``left_first_passage_time``; dimensions of the
    observer's own are renamed likewise.

    Parameters
    ----------
    name
        Letters, digits and underscores; empty for the plain names.

    Raises
    ------
    ValueError
        The name could not be part of a variable's name.
    """

    name: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if self.name != "" and not (isinstance(self.name, str) and self.name.isidentifier()):
            raise ValueError(f"name must be a word of letters, digits and underscores, got {self.name!r:.60}")

    def named(self, variables: Variables) -> Variables:
        """Return the variables with the observer's name before theirs and before their own dimensions."""
        if not self.name:
            return variables
        return {
            f"{self.name}_{variable}": (tuple(map(self._dimension, dims)), values)
            for variable, (dims, values) in variables.items()
        }

    def _dimension(self, dimension: str) -> str:
        return dimension if dimension in _SHARED else f"{self.name}_{dimension}"
