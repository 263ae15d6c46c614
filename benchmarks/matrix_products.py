"""The matrix product of the kernels against NumPy's BLAS, both on one thread, in one run.

    python benchmarks/matrix_products.py [--rounds 15]

Shapes are (rows x columns) times (columns x lanes): gradients of quadratics, and kicks of low rank from float32
normals (BLAS is given them as float64). Both run in turn in each round; the table gives the median of each and of the
ratio taken round by round, and of our rate to that of BLAS on square matrices of 1000 rows. An OPENBLAS_CORETYPE in the
environment that names an older processor would slow BLAS down, so it is dropped.
"""

from __future__ import annotations

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", VECLIB_MAXIMUM_THREADS="1")
os.environ.pop("OPENBLAS_CORETYPE", None)

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SHAPES = [
    (1000, 1000, 64, "float64"), (1000, 1000, 128, "float64"), (1000, 1000, 256, "float64"),
    (1000, 20, 64, "float32"), (1000, 20, 128, "float32"), (2, 2, 2048, "float64"), (3, 3, 1024, "float64"),
    (10, 10, 512, "float64"), (20, 20, 256, "float64"), (20, 20, 256, "float32"),
]  # fmt: skip
ROUND_FLOPS = 1e9


def compiled_product(kind: str) -> Callable[..., None]:
    from sgdphys.kernels.compile import compile_function
    from sgdphys.kernels.linear_algebra import accumulate_product
    from sgdphys.kernels.source import fast_math_flags, source_text

    text = source_text(accumulate_product)
    signature = f"'void(float64[::1], {kind}[:, ::1], float64, float64[:, ::1])'"
    flags = fast_math_flags(accumulate_product)
    function: Callable[..., None] = compile_function("accumulate_product", signature, flags, text, lambda: text)
    return function


def seconds(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def compare(rows: int, columns: int, lanes: int, kind: str, rounds: int) -> list[tuple[float, float, float]]:
    """Return the GFlop/s of our product, of that of BLAS, and of BLAS on square matrices, in each round."""
    generator = np.random.default_rng(0)
    matrix, x = generator.normal(size=(rows, columns)), generator.normal(size=(columns, lanes)).astype(kind)
    ours, doubles, flat = compiled_product(kind), x.astype(np.float64), matrix.ravel()
    out, product = np.zeros((rows, lanes)), np.zeros((rows, lanes))
    ours(flat, x, 1.0, out)
    np.testing.assert_allclose(out, matrix @ doubles, rtol=1e-9, atol=1e-9)
    flops, square = 2 * rows * columns * lanes, generator.normal(size=(1000, 1000))
    repeats = max(1, min(3000, int(ROUND_FLOPS / flops)))
    return [
        (
            flops / 1e9 / seconds(lambda: ours(flat, x, 1e-9, out), repeats),
            flops / 1e9 / seconds(lambda: np.dot(matrix, doubles, out=product), repeats),
            2.0 / seconds(lambda: square @ square, 1),
        )
        for _ in range(rounds)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"{'rows x columns x lanes':>24} {'x':>8} {'GFlop/s':>8} {'BLAS':>7} {'ratio':>6} {'to square':>10}")
    for rows, columns, lanes, kind in SHAPES:
        rates = compare(rows, columns, lanes, kind, rounds)
        ours, blas, _square = (statistics.median(column) for column in zip(*rates, strict=True))
        ratio = statistics.median(mine / theirs for mine, theirs, _ in rates)
        to_square = statistics.median(mine / square for mine, _, square in rates)
        shape = f"{rows:>8} x {columns:>4} x {lanes:>7} {kind:>8}"
        print(f"{shape} {ours:>8.1f} {blas:>7.1f} {ratio:>6.2f} {to_square:>10.2f}")


if __name__ == "__main__":
    main()
