"""The only door to numba: random bits, normals, elementary functions, steps, and the compiler of block kernels.

A block kernel works on some hundred particles at once, coordinate-major ``(coordinate, lane)``, with the lane loop
innermost so that LLVM vectorises it. Kernels are plain Python functions without allocation; they are compiled apart
and joined at run time by their addresses.
"""

from sgdphys.kernels.blocks import (
    BlockTerm,
    FieldKernel,
    Kernel,
    KickKernel,
    NormalsKernel,
    ObserverKernel,
    SampleKernel,
)
from sgdphys.kernels.evaluation import evaluate

__all__ = [
    "BlockTerm", "FieldKernel", "Kernel", "KickKernel", "NormalsKernel", "ObserverKernel", "SampleKernel", "evaluate",
]  # fmt: skip
