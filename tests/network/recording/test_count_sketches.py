import numpy as np
import pytest
import torch
from asserts import assert_within

from sgdphys.kernels import philox
from sgdphys.network.recording import count_sketches
from sgdphys.network.recording.count_sketches import CountSketch


def test_inner_products_have_the_exact_mean_and_variance_over_seeds():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40)) * 0.7 ** np.arange(40)
    y += 0.5 * x
    k, seeds = 8, 4000
    products = np.array([(lambda s: s(x) @ s(y))(CountSketch(40, k, seed)) for seed in range(seeds)])
    exact = ((x @ x) * (y @ y) + (x @ y) ** 2 - 2 * (x**2 @ y**2)) / k
    assert_within(products.mean(), x @ y, products.std() / seeds**0.5)
    squares = (products - x @ y) ** 2
    error = squares.std() / seeds**0.5
    assert_within(squares.mean(), exact, error)
    wrong = ((x @ x) * (y @ y) + (x @ y) ** 2) / k  # as of Gaussian projections
    assert wrong - squares.mean() > 10 * error


def test_signs_matter():
    # without signs the mean of |Sx|^2 has a part |sum x|^2 / k
    x, seeds = np.ones(50), 1000
    lengths = np.array([(CountSketch(50, 5, seed)(x) ** 2).sum() for seed in range(seeds)])
    error = lengths.std() / seeds**0.5
    assert_within(lengths.mean(), 50.0, error)
    assert 50 + (50**2 - 50) / 5 - lengths.mean() > 10 * error


@pytest.mark.parametrize("dim", [1, 7, 2**18 + 3])
def test_it_is_the_matrix_of_one_signed_bucket_a_coordinate(dim):
    sketch = CountSketch(dim, 16, 3)
    x = torch.randn(2, 3, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    result = sketch(x)
    assert result.shape == (2, 3, 16) and torch.equal(result, sketch(x))
    places = sketch._hashed(0).long()
    naive = torch.zeros(16, dtype=torch.float64)
    for i in range(min(dim, 1000)):
        naive[places[i] // 2] += (1 - 2 * (places[i] % 2)) * x[1, 2, i]
    if dim < 1000:
        torch.testing.assert_close(result[1, 2], naive, rtol=0, atol=1e-12)
    torch.testing.assert_close(sketch(2 * x - 1), 2 * result - sketch(torch.ones_like(x)), rtol=0, atol=1e-10)


def test_bucket_and_sign_are_those_of_the_words_of_philox(monkeypatch):
    # the map is part of what a store holds: coordinate i has words 0, 1 (even i) or 2, 3 (odd i) of counter i // 2
    monkeypatch.setattr(count_sketches, "_PIECE", 6)
    key, stream = philox.key_of(5), philox.STREAMS["count_sketch"] << 24
    x = np.random.default_rng(0).normal(size=17)
    naive = np.zeros(7)
    for i in range(17):
        counter = map(np.uint64, (key & 0xFFFFFFFF, key >> 32, i // 2, 0, stream, 0))
        words = [int(word) for word in philox.philox_words(*counter)]
        bucket, sign = words[2 * (i % 2)], words[2 * (i % 2) + 1] & 1
        naive[bucket * 7 >> 32] += -x[i] if sign else x[i]
    np.testing.assert_allclose(CountSketch(17, 7, 5)(x), naive, rtol=0, atol=1e-15)


def test_buckets_and_signs_are_even_and_a_function_of_seed_and_coordinate():
    places = CountSketch(100_000, 10, 1)._hashed(0).numpy()
    counts = np.bincount(places, minlength=20)
    assert np.all(np.abs(counts - 5000) < 5 * 5000**0.5)
    np.testing.assert_array_equal(places[:999], CountSketch(999, 10, 1)._hashed(0).numpy())
    assert np.mean(places == CountSketch(100_000, 10, 2)._hashed(0).numpy()) < 0.06


def test_arrays_in_arrays_out_and_bad_numbers_are_refused():
    assert isinstance(CountSketch(3, 2)(np.ones(3)), np.ndarray)
    assert CountSketch(3, 2)(np.ones(3, np.float32)).dtype == np.float32
    fixed = np.ones(3)
    fixed.setflags(write=False)
    for same in (fixed, np.ones(3, int), np.ones(3, bool)):
        np.testing.assert_array_equal(CountSketch(3, 2)(same), CountSketch(3, 2)(np.ones(3)))
    for wrong in (np.ones(2), np.ones((2, 6)), np.ones((6, 2)), 1.0, None, "a"):
        with pytest.raises(ValueError, match="vectors must"):
            CountSketch(3, 2)(wrong)
    with pytest.raises(ValueError, match="n_buckets"):
        CountSketch(3, 0)
    with pytest.raises(ValueError, match="n_buckets must be below"):
        CountSketch(3, 2**30)


@pytest.mark.gpu
def test_cuda_gives_the_same_sketch():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x = torch.randn(3, 5000, dtype=torch.float64)
    sketch = CountSketch(5000, 64)
    torch.testing.assert_close(sketch(x.cuda()).cpu(), sketch(x), rtol=0, atol=1e-11)
