"""The package's own exceptions and warnings; every other refusal is a plain ``ValueError`` or ``TypeError``."""

__all__ = ["DivergenceWarning", "FormulaError", "MemoryLimitError", "StoreError"]


class FormulaError(ValueError):
    """A formula holds something the parser does not allow; nothing of it was evaluated."""


class StoreError(ValueError):
    """A store is there already, is missing, is unfinished or was written by a newer format."""


class MemoryLimitError(ValueError):
    """The requested result does not fit into memory; the message gives its size and the way out."""


class DivergenceWarning(RuntimeWarning):
    """Some particles left for infinity; they are marked and excluded, the others are unaffected."""
