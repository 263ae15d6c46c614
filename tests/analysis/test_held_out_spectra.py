import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys.analysis import cross_validated_spectrum


def repeated(spectrum, n, repeats, mean=0.3):
    """Plain and held-out eigenvalues of Gaussian gradients, (repeat, mode), and standard errors."""
    rows = []
    for seed in range(repeats):
        g = np.random.default_rng(seed).normal(size=(n, len(spectrum))) * np.sqrt(spectrum) + mean
        found = cross_validated_spectrum(g @ g.T)
        names = ("eigenvalue", "eigenvalue_cross_validated", "eigenvalue_cross_validated_standard_error")
        rows.append([found[name].values[:3] for name in names])
    return np.moveaxis(rows, 1, 0)


def test_few_samples_of_the_identity():
    # 400 dimensions, 60 samples: the largest plain eigenvalue is near (1 + (400/60)^(1/2))^2 = 12.8
    plain, held_out, errors = repeated(np.ones(400), 60, 40)
    error_of_mean = held_out.std(axis=0) / 40**0.5
    assert_within(held_out.mean(axis=0), 1.0, error_of_mean)
    assert_excluded(plain[:, 0].mean(), 1.0, plain[:, 0].std() / 40**0.5)
    assert plain[:, 0].mean() == pytest.approx(12.8, rel=0.05)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(held_out.std(), rel=0.2)


def test_halves_of_five_samples_have_no_bias():
    _, held_out, _ = repeated(np.ones(50), 10, 200)
    assert_within(held_out.mean(axis=0), 1.0, held_out.std(axis=0) / 200**0.5)
    assert_excluded(held_out.mean() * 4 / 5, 1.0, held_out.mean(axis=1).std() / 200**0.5)  # wrong: the 1/n variance


def test_a_spike_is_found_with_its_variance():
    # half of 100 samples find the axis with overlap (1 - c/s^2)/(1 + c/s), c = d/50 and s = 199: .980 (Paul 2007)
    spectrum = np.r_[200.0, np.ones(199)]
    plain, held_out, errors = repeated(spectrum, 100, 40)
    overlap = (1 - 4 / 199**2) / (1 + 4 / 199)
    assert_within(held_out[:, 0].mean(), 200 * overlap + 1 - overlap, held_out[:, 0].std() / 40**0.5)
    assert np.mean(np.abs(held_out[:, 0] - 200) < 2 * errors[:, 0]) > 0.85
    assert_within(held_out[:, 1:].mean(axis=0), 1.0, held_out[:, 1:].std(axis=0) / 40**0.5)
    assert_excluded(plain[:, 1].mean(), 1.0, plain[:, 1].std() / 40**0.5)  # wrong: the bulk's edge


def test_many_samples_give_the_eigenvalues():
    rng = np.random.default_rng(5)
    g = rng.normal(size=(1000, 3)) * [3.0, 2.0, 1.0]
    found = cross_validated_spectrum(g @ g.T, n_splits=2)
    assert found.sizes["mode"] == 3  # rounding is no mode
    values, errors = found["eigenvalue_cross_validated"], found["eigenvalue_cross_validated_standard_error"]
    assert_within(values, [9.0, 4.0, 1.0], errors)
    np.testing.assert_allclose(values, found["eigenvalue"], rtol=0.02)
    np.testing.assert_allclose(found["eigenvalue"], np.linalg.eigvalsh(np.cov(g.T))[::-1], rtol=1e-10)


def test_a_data_set_and_a_shift_and_the_seed():
    g = np.random.default_rng(6).normal(size=(20, 50))
    raw, moved = g @ g.T, (g + 3.0) @ (g + 3.0).T
    first, second = cross_validated_spectrum(raw, seed=1), cross_validated_spectrum(moved, seed=1)
    np.testing.assert_allclose(first["eigenvalue_cross_validated"], second["eigenvalue_cross_validated"], rtol=1e-8)
    whole = cross_validated_spectrum(raw, n_population=20, seed=1)
    for name in first:
        np.testing.assert_allclose(whole[name], first[name] * 19 / 20)
    assert not np.allclose(cross_validated_spectrum(raw, seed=2)["eigenvalue_cross_validated"], first[name])


def test_rounding_of_single_precision_is_no_mode():
    g = np.random.default_rng(7).normal(size=(30, 4)).astype(np.float32)
    assert cross_validated_spectrum(g @ g.T).sizes["mode"] == 4


@pytest.mark.parametrize(
    ("gram", "settings", "says"),
    [
        (np.eye(7), {}, "at least 8 samples"),
        (np.ones((8, 9)), {}, "square"),
        (-np.eye(8), {}, "negative entry"),
        (np.eye(8), {"n_splits": 0}, "n_splits must be a positive integer"),
        (np.eye(8), {"seed": -1}, "seed must be"),
        (np.eye(8), {"n_population": 7}, "n_population"),
    ],
)
def test_refusals(gram, settings, says):
    with pytest.raises(ValueError, match=says):
        cross_validated_spectrum(gram, **settings)
