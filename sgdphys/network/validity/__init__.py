"""Whether a network's SGD is the Langevin process that theory takes it for, and at which temperature."""

from sgdphys.network.validity.report import table

__all__ = ["table"]
