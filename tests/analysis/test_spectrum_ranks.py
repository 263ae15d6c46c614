import numpy as np
import pytest
import xarray as xr

from sgdphys.analysis import noise_moments, noise_ranks


def test_a_power_law_counted_by_hand():
    values = 1 / np.arange(1, 101) ** 2
    found = noise_ranks(values[::-1], dim=150, relative=(1e-2, 1e-3), shares=(0.9,))
    ranks = dict(zip(found["threshold"].values, found["rank"].values, strict=True))
    assert ranks["relative 0.01"] == 9  # 1/100 itself is not above
    assert ranks["relative 0.001"] == 31
    shares = np.cumsum(values) / values.sum()
    assert shares[ranks["share 0.9"] - 2] < 0.9 <= shares[ranks["share 0.9"] - 1]
    assert float(found["rank_cut"].sel(threshold="share 0.9")) == values[ranks["share 0.9"] - 1]
    assert float(found["rank_share"].sel(threshold="relative 0.01")) == 9 / 150
    assert float(found["eigenvalue_participation_ratio"]) == pytest.approx(values.sum() ** 2 / np.sum(values**2))
    assert float(found["stable_rank"]) == pytest.approx(values.sum())
    padded = np.r_[values, np.zeros(50)]
    assert float(found["eigenvalue_mean"]) == pytest.approx(padded.mean())
    assert float(found["eigenvalue_standard_deviation"]) == pytest.approx(padded.std())


def test_machine_precision_of_the_published_network():
    # d = 13,338: 1.6e-3 of the largest in float32, 3e-12 in float64
    values = 10.0 ** -np.arange(0, 14)
    found = noise_ranks(xr.Dataset({"eigenvalue": ("mode", values)}), dim=13338)
    cuts = found["rank_cut"]
    assert float(cuts.sel(threshold="float32")) == pytest.approx(1.59e-3, rel=1e-3)
    assert float(cuts.sel(threshold="float64")) == pytest.approx(2.96e-12, rel=1e-2)
    assert found["rank"].sel(threshold=["float32", "float64"]).values.tolist() == [3, 12]


def test_equal_eigenvalues_are_as_many_as_they_are():
    found = noise_ranks(np.full(7, 3.0), dim=7)
    assert found["rank"].values.tolist() == [7, 7, 7, 7, 7]
    assert float(found["eigenvalue_participation_ratio"]) == pytest.approx(7.0)
    assert float(found["stable_rank"]) == pytest.approx(7.0)


def test_no_noise_has_no_rank():
    found = noise_ranks(np.zeros(3), dim=5)
    assert not found["rank"].any()
    assert np.isnan(found["stable_rank"]) and np.isnan(found["eigenvalue_participation_ratio"])


def test_the_participation_ratio_of_few_samples_is_capped_that_of_the_moments_is_not():
    rng = np.random.default_rng(0)
    dim, n, repeats, plain, square, product = 200, 20, 200, [], [], []
    for _ in range(repeats):
        g = rng.normal(size=(n, dim))
        moments = noise_moments(g @ g.T)
        square.append(float(moments["noise_trace_of_square"]))
        product.append(float(moments["participation_ratio"]) * square[-1])
        values = np.linalg.svd(g - g.mean(axis=0), compute_uv=False)[:-1] ** 2
        plain.append(float(noise_ranks(values, dim)["eigenvalue_participation_ratio"]))
    assert max(plain) < n  # wrong: 200 directions share the noise
    assert abs(np.mean(square) - dim) < 4 * np.std(square) / repeats**0.5
    assert abs(np.mean(product) - dim**2) < 4 * np.std(product) / repeats**0.5


@pytest.mark.parametrize(
    ("values", "settings", "says"),
    [
        ([], {"dim": 3}, "list of finite numbers"),
        (xr.Dataset(), {"dim": 3}, "the Dataset holds no eigenvalue"),
        ([1.0, np.inf], {"dim": 3}, "list of finite numbers"),
        ([1.0, -0.5], {"dim": 3}, "no negative eigenvalues"),
        ([1.0, 0.5], {"dim": 1}, "at least the number of eigenvalues 2"),
        ([1.0], {"dim": 2, "relative": (2.0,)}, "relative must lie between 0 and 1"),
        ([1.0], {"dim": 2, "shares": (0.0,)}, "shares must lie between 0 and 1"),
    ],
)
def test_refusals(values, settings, says):
    with pytest.raises(ValueError, match=says):
        noise_ranks(values, **settings)
