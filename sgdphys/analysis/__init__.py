"""Functions from a Dataset to a Dataset; they do not ask whether it came from particles, a grid or a real network."""

__all__: list[str] = []
