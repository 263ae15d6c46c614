import numpy as np
import pytest
import xarray as xr
from asserts import assert_within

from sgdphys.analysis import compare
from sgdphys.analysis.gaussian_distances import grouped_moments, squared_wasserstein

COVARIANCE = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 0.5]])
DIFFERENCES = (
    "mean_variance_ratio",
    "entropy_difference",
    "symmetric_relative_entropy",
    "squared_wasserstein_distance",
)


def cloud(points, **variables):
    times = np.arange(float(len(points)))
    return xr.Dataset({"position": (("time", "particle", "coordinate"), points), **variables}, coords={"time": times})


def gaussian(seed, frames=4, particles=300, covariance=COVARIANCE, mean=0.0, memory=0.0):
    """Return a stationary cloud; ``memory`` is the correlation from frame to frame."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(frames, particles, len(covariance)))
    for k in range(1, frames):
        noise[k] = memory * noise[k - 1] + (1 - memory**2) ** 0.5 * noise[k]
    return cloud(mean + noise @ np.linalg.cholesky(covariance).T)


def exact_differences(a, b, delta):
    """Return log det, symmetric relative entropy and squared Wasserstein distance of two Gaussians."""
    inverses = [np.linalg.inv(matrix) for matrix in (a, b)]
    symmetric = 0.5 * (np.trace(inverses[0] @ b + inverses[1] @ a) + delta @ sum(inverses) @ delta) - len(a)
    entropy = 0.5 * (np.linalg.slogdet(a)[1] - np.linalg.slogdet(b)[1])
    cross = np.sqrt(np.linalg.eigvals(a @ b).real).sum()
    return entropy, symmetric, delta @ delta + np.trace(a) + np.trace(b) - 2 * cross


def test_two_different_gaussians():
    other = np.diag([1.0, 1.5, 0.4])
    delta = np.array([0.3, 0.0, -0.2])
    result = compare(gaussian(0, particles=4000, mean=delta), gaussian(1, particles=5000, covariance=other), after=0.0)
    entropy, symmetric, wasserstein = exact_differences(COVARIANCE, other, delta)
    ratio = np.diag(COVARIANCE) / np.diag(other)
    for name, exact in [
        ("variance_real", np.diag(COVARIANCE)),
        ("variance_sim", np.diag(other)),
        ("variance_ratio", ratio),
        ("mean_variance_ratio", ratio.mean()),
        ("mean_difference", delta),
        ("entropy_difference", entropy),
        ("symmetric_relative_entropy", symmetric),
        ("squared_wasserstein_distance", wasserstein),
    ]:
        assert_within(result[name], exact, result[f"{name}_standard_error"])
    assert np.abs(result["mean_difference_z"].values[[0, 2]]).min() > 10


@pytest.mark.parametrize("memory", [0.0, 0.95])
def test_equal_clouds_differ_by_their_stated_errors(memory):
    # 60 pairs of clouds of the same law: unbiased, and the stated errors are the true ones. With memory = .95 the
    # frames are nearly copies; counting them as independent would make the errors 2 times too small
    results = [compare(gaussian(s, memory=memory), gaussian(1000 + s, memory=memory), after=0.0) for s in range(60)]
    for name in DIFFERENCES:
        values = np.array([result[name].item() for result in results])
        errors = np.array([result[f"{name}_standard_error"].item() for result in results])
        expected = 1.0 if name == "mean_variance_ratio" else 0.0
        assert_within(values.mean(), expected, values.std() / 60**0.5 + (3e-3 if expected else 0.0))
        if name not in {
            "symmetric_relative_entropy",
            "squared_wasserstein_distance",
        }:  # quadratic at zero: not Gaussian
            assert np.sqrt(np.mean(errors**2)) / values.std() == pytest.approx(1, abs=4 / 120**0.5)
    z = np.array([result["mean_difference_z"].values for result in results])
    assert np.mean(z**2) == pytest.approx(1, abs=4 * (2 / 180) ** 0.5)


def test_the_plug_in_distance_would_be_far_too_large():
    # 20 directions and 200 particles, equal clouds: the plug-in symmetric relative entropy is 2.3 nats
    a, b = (gaussian(s, frames=1, particles=200, covariance=np.eye(20)) for s in (0, 1))
    result = compare(a, b)
    value, error = (result[f"symmetric_relative_entropy{tail}"].item() for tail in ("", "_standard_error"))
    first, second = (np.cov(c["position"].values[0], rowvar=False) for c in (a, b))
    plug_in = 0.5 * np.trace(np.linalg.solve(first, second) + np.linalg.solve(second, first)) - 20
    assert abs(value) < 4 * error and plug_in > 4 * error
    moments = [grouped_moments(c["position"].values)[0] for c in (a, b)]
    assert result["squared_wasserstein_distance"].item() < 0.3 * squared_wasserstein(*moments)


def test_a_real_cloud_is_projected_on_the_twin():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(8, 3)))[0]
    origin = rng.normal(size=8)
    sim = gaussian(1, particles=500)
    carried = sim.assign(origin=("parameter", origin), basis=(("parameter", "coordinate"), basis))
    reduced = gaussian(0, particles=400)
    beside = rng.normal(size=(4, 400, 8)) @ (np.eye(8) - basis @ basis.T)
    real = cloud(origin + reduced["position"].values @ basis.T + beside)
    xr.testing.assert_allclose(compare(real, carried), compare(reduced, sim))


def test_the_second_half_of_the_times_is_the_default():
    position = gaussian(0, frames=5)["position"].values.copy()
    position[:2] += 100.0
    result = compare(cloud(position), gaussian(1))
    assert result.attrs["frames_real"] == 3 and float(np.abs(result["mean_difference"]).max()) < 1
    assert compare(cloud(position), gaussian(1), after=3.0).attrs == {
        "frames_real": 2, "frames_sim": 1, "particles_real": 300, "particles_sim": 300,
    }  # fmt: skip


def test_lost_particles_are_left_out():
    position = gaussian(0)["position"].values.copy()
    position[-1, 7] = np.nan
    assert compare(cloud(position), gaussian(1)).attrs["particles_real"] == 299


@pytest.mark.parametrize(
    ("real", "sim", "settings", "message"),
    [
        (gaussian(0, covariance=np.eye(4)), gaussian(1), {}, "real has 4 coordinates and sim 3"),
        (gaussian(0, particles=5), gaussian(1), {}, "real has 5 finite particles, comparing 3 coordinates needs 6"),
        (gaussian(0), gaussian(1), {"after": 9.0}, "real has no frame from time 9 on, its last is at 3"),
        (xr.Dataset(), gaussian(1), {}, "a cloud needs position"),
    ],
)
def test_clouds_that_do_not_correspond_are_refused(real, sim, settings, message):
    with pytest.raises(ValueError, match=message):
        compare(real, sim, **settings)
