"""Elementary functions against NumPy: a few units in the last place, right at the edges, vectorised."""

import numpy as np
import pytest

from sgdphys.kernels import vector_math
from sgdphys.kernels.source import FAST_MATH, helpers_text

RANGES = {  # name: (largest argument, units in the last place)
    "exp": (708.0, 3),
    "log": (1e6, 2),
    "sin": (1e6, 3),
    "cos": (1e6, 3),
    "tan": (1e6, 5),
    "sinh": (708.0, 8),
    "cosh": (708.0, 5),
    "tanh": (40.0, 3),
}
EDGES = np.array(
    [np.nan, np.inf, -np.inf, 0.0, 5e-324, 1e-310, 2.2250738585072014e-308, 1e-300, 1e-16, 709.78, 709.79, 1e308]
)
SIGNATURE = "'void(float64[::1], float64[::1])'"


def loop_text(name):
    """A loop over an array that calls the function, inlined as in a landscape's kernel."""
    loop = f"def loop(x, out):\n    for i in range(len(x)):\n        out[i] = {name}(x[i])\n"
    return f"{helpers_text([getattr(vector_math, name)])}\n\n{loop}"


@pytest.fixture(scope="module")
def apply():
    from sgdphys.kernels.compile import compile_function

    def run(name, x):
        text = loop_text(name)
        out = np.empty_like(x)
        compile_function("loop", SIGNATURE, FAST_MATH, text, lambda: text)(x, out)
        with np.errstate(all="ignore"):
            return out, getattr(np, name)(x)

    return run


def points(name, largest):
    generator = np.random.default_rng(1)
    scan = [generator.uniform(-scale, scale, 20_000) for scale in (1e-8, 1e-3, 0.3, 1.0, 5.0, 40.0, 700.0, 1e6)]
    x = np.concatenate([*scan, np.exp(generator.uniform(-700, 700, 20_000)), np.linspace(-1.0, 1.0, 10_001)])
    x = x[np.abs(x) <= largest]
    return np.abs(x[x != 0]) if name == "log" else x


@pytest.mark.parametrize("name", vector_math.__all__)
def test_agrees_with_numpy(apply, name):
    largest, units = RANGES[name]
    value, exact = apply(name, points(name, largest))
    assert np.all(np.abs(value - exact) <= units * np.spacing(np.abs(exact)))


@pytest.mark.parametrize("name", vector_math.__all__)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_edges(apply, name, sign):
    x = sign * EDGES
    if name in {"sin", "cos", "tan"}:
        x = x[~(np.abs(x) > 1e6) | np.isinf(x)]
    value, exact = apply(name, x)
    np.testing.assert_array_equal(np.isnan(value), np.isnan(exact))
    np.testing.assert_array_equal(np.isinf(value), np.isinf(exact))
    finite = np.isfinite(exact)
    assert np.all(np.abs(value[finite] - exact[finite]) <= 4 * np.spacing(np.abs(exact[finite])))


def test_exponential_goes_down_to_subnormal_numbers(apply):
    value, exact = apply("exp", np.linspace(-745.0, -708.0, 1000))
    assert np.all(np.abs(value - exact) <= 2 * 5e-324 + 4e-16 * exact)
    assert value[0] == 5e-324


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_large_angles_lose_accuracy_but_stay_bounded(apply, name):
    generator = np.random.default_rng(2)
    value, exact = apply(name, generator.uniform(-1e9, 1e9, 10_000))
    assert np.abs(value - exact).max() < 1e-7
    value, _ = apply(name, np.exp(generator.uniform(20, 700, 10_000)))
    assert np.abs(value).max() <= 1.0


@pytest.mark.parametrize("name", vector_math.__all__)
def test_vectorises(packed_instructions, name):
    assert packed_instructions("loop", SIGNATURE, FAST_MATH, loop_text(name)) > 10


def test_the_count_of_vector_instructions_sees_a_call_into_libm(packed_instructions):
    text = "def loop(x, out):\n    for i in range(len(x)):\n        out[i] = np.exp(x[i])\n"
    assert packed_instructions("loop", SIGNATURE, FAST_MATH, text) < 10
