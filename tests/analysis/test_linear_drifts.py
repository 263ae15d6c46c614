import numpy as np
import pytest
from asserts import assert_excluded, assert_within
from clouds import cloud_of
from linear_drifts import ROTATED
from scipy.linalg import expm, solve_continuous_lyapunov

import sgdphys as sp
from sgdphys import schema
from sgdphys.analysis import linear_drift

MATRIX = np.array([[1.0, 1.5], [-0.9, 0.6]])
DIFFUSION = 0.3 * ROTATED
CENTRE = np.array([0.4, -2.0])


def flow(lag, matrix=MATRIX, diffusion=DIFFUSION, particles=2000, frames=31, spread=None):
    """Return an exact cloud of the linear process around CENTRE, at rest or spread over a ball at first."""
    rng = np.random.default_rng(1)
    dim = len(matrix)
    stationary = solve_continuous_lyapunov(matrix, 2 * diffusion)
    motion = expm(-matrix * lag)
    root = np.linalg.cholesky(stationary - motion @ stationary @ motion.T)
    first = np.linalg.cholesky(stationary) if spread is None else spread * np.eye(dim)
    positions = [rng.normal(size=(particles, dim)) @ first.T]
    for _ in range(frames - 1):
        positions.append(positions[-1] @ motion.T + rng.normal(size=(particles, dim)) @ root.T)
    return cloud_of(*(position + CENTRE[:dim] for position in positions), times=lag * np.arange(frames))


def assert_found(found, matrix, diffusion):
    """A, TD and the centre lie within their standard errors."""
    assert_within(found["drift_matrix"], matrix, found["drift_matrix_standard_error"])
    assert_within(found["diffusion"], diffusion, found["diffusion_standard_error"])
    assert_within(found["centre"], CENTRE[: len(matrix)], found["centre_standard_error"])


@pytest.mark.parametrize("lag", [0.1, 0.4, 1.0])
def test_a_rotating_process_is_exact_at_any_lag(lag):
    found = linear_drift(flow(lag))
    assert_found(found, MATRIX, DIFFUSION)
    assert found["drift_matrix"].attrs == schema.describe("drift_matrix")
    symmetric = (MATRIX + MATRIX.T) / 2
    off = (0, 1), (1, 0)
    assert_excluded(*((part[off]) for part in (found["drift_matrix"].values, symmetric,
                                               found["drift_matrix_standard_error"].values)))  # fmt: skip
    if lag == 1:
        straight = linear_drift(flow(lag), of="map")
        for name, truth in (("drift_matrix", MATRIX), ("diffusion", DIFFUSION)):
            assert_excluded(straight[name][0, 0], truth[0, 0], straight[f"{name}_standard_error"][0, 0])


def test_a_lag_of_many_frames_and_a_state_that_is_not_stationary():
    assert_found(linear_drift(flow(0.1, spread=3.0), lag=5), MATRIX, DIFFUSION)


def test_one_long_trajectory():
    assert_found(linear_drift(flow(0.3, particles=1, frames=40_000)), MATRIX, DIFFUSION)


def test_the_standard_errors_are_honest():
    matrix, diffusion = np.array([[1.3]]), np.array([[0.5]])
    cloud = flow(0.5, matrix, diffusion, particles=20_000, frames=21)
    parts = [linear_drift(cloud.isel(particle=slice(100 * k, 100 * (k + 1)))) for k in range(200)]
    for name, truth in (("drift_matrix", 1.3), ("diffusion", 0.5), ("centre", CENTRE[0])):
        z = np.array(
            [float((part[name] - truth).squeeze() / part[f"{name}_standard_error"].squeeze()) for part in parts]
        )
        assert 0.85 < np.sqrt(np.mean(z**2)) < 1.15


def test_the_map_and_the_flow_of_sgd():
    sgd = sp.SGD(lr=0.5, batch_size=4)
    cloud = sp.simulate(
        sp.landscapes.Quadratic([1.5]), sp.noises.Isotropic(2.0), sgd=sgd, n_steps=60, n_particles=4000, seed=5,
        save_at=61, start=0.5,
    )  # fmt: skip
    steps, through = linear_drift(cloud, of="map"), linear_drift(cloud)
    rate = -np.log(1 - 0.75) / 0.5
    for found, right, wrong in ((steps, 1.5, rate), (through, rate, 1.5)):
        error = found["drift_matrix_standard_error"]
        assert_within(found["drift_matrix"], right, error)
        assert_excluded(found["drift_matrix"], wrong, error)
    assert_within(steps["diffusion"], 2 * sgd.temperature, steps["diffusion_standard_error"])
    stationary = 2 * 0.5 * 2 * sgd.temperature / (1 - 0.25**2)
    assert_within(through["diffusion"], rate * stationary, through["diffusion_standard_error"])


def test_a_free_particle_has_a_diffusion():
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(size=(30, 3000)) * np.sqrt(2 * 0.7 * 0.1), axis=0)
    found = linear_drift(cloud_of(*walk, times=0.1 * np.arange(30)))
    assert_within(found["drift_matrix"], 0.0, found["drift_matrix_standard_error"])
    assert_within(found["diffusion"], 0.7, found["diffusion_standard_error"])


def test_bad_input_is_refused():
    alternating = cloud_of(*(np.random.default_rng(0).normal(size=100) * (-0.9) ** k for k in range(3)))
    back_and_forth = np.random.default_rng(0).normal(size=100)
    cloud = cloud_of(*(back_and_forth * (-0.9) ** k for k in range(3)))
    with pytest.raises(ValueError, match="which no flow of its own does"):
        linear_drift(cloud)
    assert linear_drift(cloud, of="map")["drift_matrix"].values == pytest.approx(1.9)
    with pytest.raises(ValueError, match="too few for 1 coordinates"):
        linear_drift(alternating.isel(particle=slice(1)))
    for second in (np.ones((3, 100)), 2 * cloud["position"].values[..., 0] + 1):
        twice = np.stack([cloud["position"].values[..., 0], second], axis=2)
        with pytest.raises(ValueError, match="stays constant or is a combination of others"):
            linear_drift(cloud_of(*twice))
    with pytest.raises(ValueError, match='of must be "flow" or "map"'):
        linear_drift(cloud, of="step")
    with pytest.raises(ValueError, match="save every step"):
        linear_drift(cloud, of="map", lag=2)
    with pytest.raises(ValueError, match="need 4 frames"):
        linear_drift(cloud, lag=3)


def test_scatter_and_errors_are_those_of_a_regression_and_of_its_jackknife():
    """Twelve particles over one interval: unbiased scatter, and as many groups as particles."""
    rng = np.random.default_rng(8)
    first, last = rng.normal(size=(2, 12))
    cloud = cloud_of(first, 0.3 * first + last, times=[0.0, 0.5])

    def by_hand(early, late):
        slope, shift = np.polyfit(early, late, 1)
        rest = late - slope * early - shift
        return np.array([(1 - slope) / 0.5, rest @ rest / (len(early) - 2), shift / (1 - slope)])

    late = cloud["position"].values[1, :, 0]
    found = linear_drift(cloud, of="map")
    expected = by_hand(first, late)
    parts = np.array([by_hand(np.delete(first, k), np.delete(late, k)) for k in range(12)])
    errors = np.sqrt(11 * parts.var(axis=0))
    for name, value, error in zip(("drift_matrix", "diffusion", "centre"), expected, errors, strict=True):
        assert float(found[name].squeeze()) == pytest.approx(value, rel=1e-9)
        assert float(found[f"{name}_standard_error"].squeeze()) == pytest.approx(error, rel=1e-9)


@pytest.mark.parametrize(("scale", "place"), [(1e8, 0.0), (1e-8, 0.0), (1.0, 1e8)])
def test_units_and_origin_do_not_matter(scale, place):
    cloud = flow(0.4)
    found, moved = linear_drift(cloud), linear_drift(cloud * scale + place)
    np.testing.assert_allclose(moved["drift_matrix"], found["drift_matrix"], rtol=1e-5)
    np.testing.assert_allclose(moved["diffusion"] / scale**2, found["diffusion"], rtol=1e-5)
    np.testing.assert_allclose((moved["centre"] - place) / scale, found["centre"], rtol=1e-5)


def test_a_cloud_at_rest_has_neither_drift_nor_centre():
    place = np.random.default_rng(0).normal(size=(50, 2))
    found = linear_drift(cloud_of(place, place, place))
    np.testing.assert_allclose(found["drift_matrix"], 0, atol=1e-12)
    np.testing.assert_allclose(found["diffusion"], 0, atol=1e-12)
    assert np.isnan(found["centre"]).all()


def test_what_is_no_cloud_of_numbers_is_refused_in_one_line():
    cloud = flow(0.4)
    for part, message in (
        (None, "an analysis takes a Dataset"),
        (cloud.isel(particle=slice(0)), "one particle and one coordinate or more, got 0 and 2"),
        (cloud.isel(coordinate=slice(0)), "got 2000 and 0"),
        (cloud + 1j, "real numbers, got complex128"),
        (cloud * np.nan, "0 displacements"),
        (cloud.isel(time=slice(None, None, -1)), "equally spaced in time"),
        (cloud.assign_coords(time=cloud["time"].values.astype("datetime64[s]")), "the time of a cloud must be real"),
        (cloud.assign_coords(coordinate=["x", "x"]), "names of the coordinates must differ from each other"),
        (
            cloud.assign_coords(coordinate=["x", "time"]),
            "names of the coordinates must differ from each other and from",
        ),
    ):
        with pytest.raises(ValueError, match=message) as told:
            linear_drift(part)
        assert "\n" not in str(told.value)
