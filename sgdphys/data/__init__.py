"""Data sets: what comes with the package, and well-known image sets that lie in the folder ``SGDPHYS_DATA``."""

from sgdphys.data.bundled import LabelledSplit, data_path, digits
from sgdphys.data.image_sets import cifar10, fashion_mnist, mnist

__all__ = ["LabelledSplit", "cifar10", "data_path", "digits", "fashion_mnist", "mnist"]
