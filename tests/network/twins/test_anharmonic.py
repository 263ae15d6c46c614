import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys import SGD
from sgdphys.network.twins.anharmonic import anharmonic_twin_of
from sgdphys.network.twins.quadratic import twin_of


@pytest.fixture(scope="module")
def unit():
    """Return one tanh unit without offsets at a minimum: two parameters, a loss that is no parabola."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(40, 1))
    targets = np.tanh(1.5 * inputs) + 0.5 * rng.normal(size=(40, 1))
    linear = torch.nn.Linear
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torch.nn.Sequential(linear(1, 1, bias=False), torch.nn.Tanh(), linear(1, 1, bias=False))
    return sp.Network(model, torch.nn.MSELoss(), (inputs, targets), weight_decay=0.05).minimum()


def test_loss_and_noise_of_two_parameters_are_those_of_the_network_to_spline_error(unit):
    # halving the spacing divides the error of the spline by 16, of the multilinear noise by 4
    y = np.random.default_rng(0).uniform(-0.2, 0.2, size=(300, 2))
    errors = []
    for knots in (13, 25):
        landscape, noise = anharmonic_twin_of(unit, 2, half_width=0.6, knots=knots)
        points = landscape.origin + y @ landscape.basis.T
        exact = np.stack([unit.at(point).noise().project(landscape.basis.copy()) for point in points])
        wrong = landscape.potential(y) - unit.potential(points), noise.diffusion(y) - exact
        errors.append([np.sqrt(np.mean(part**2)) for part in wrong])
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(orders[0], [4, 2], atol=0.3)
    assert errors[-1][0] < 1e-5


def test_the_simulated_twin_has_the_moments_of_real_sgd_and_the_parabola_has_not(unit):
    # same steps of lr = .1 in both, slowest rate .018 a step; 2000 replicas, standard errors from their fourth moments
    sgd = SGD(0.1, 2)
    settings = {"sgd": sgd, "n_steps": 800, "save_at": [40.0, 60.0, 80.0]}
    twin = anharmonic_twin_of(unit, 2, sgd=sgd)
    real = sp.train(unit, n_replicas=2000, **settings)
    simulated = sp.simulate(*twin, n_particles=20_000, **settings)
    flat = sp.simulate(*twin_of(unit, 2), n_particles=20_000, **settings)
    result, parabola = (sp.analysis.compare(real, cloud, after=40.0) for cloud in (simulated, flat))
    assert_within(result["variance_ratio"], 1.0, result["variance_ratio_standard_error"])
    assert np.abs(result["mean_difference_z"]).max() < 4
    assert np.abs(parabola["mean_difference_z"]).max() > 10


def test_tables_of_the_digits_follow_the_network_along_three_directions(digits):
    landscape, noise = anharmonic_twin_of(digits, 3, temperature=1e-3, knots=7)
    V = landscape.basis.copy()
    spread = np.sqrt(1e-3 * np.diag(digits.noise().project(V)) / digits.curvature().top(3)["eigenvalue"].values)
    np.testing.assert_allclose([axis[-1] for axis in landscape.axes], 6 * spread)
    y = np.array([[axis[knot] for axis, knot in zip(landscape.axes, (2, 3, 5), strict=True)]])
    point = landscape.origin + y[0] @ V.T
    np.testing.assert_allclose(landscape.potential(y), digits.potential(point), rtol=1e-12)
    np.testing.assert_allclose(noise.diffusion(y)[0], digits.at(point).noise().project(V), rtol=1e-10)
    assert noise.interpretation == "ito"


def test_averages_over_a_cloud_are_those_of_its_replicas(perceptron):
    network = perceptron.minimum()
    cloud = sp.train(network, SGD(0.1, 5), n_replicas=6, n_steps=50, save_at=1)
    landscape, noise = anharmonic_twin_of(network, 1, half_width=0.5, knots=5, cloud=cloud, samples=6)
    V = landscape.basis.copy()
    away = cloud["position"].values[-1] - network.parameters
    points = network.parameters + away - away @ V @ V.T + 0.25 * V[:, 0]
    assert np.abs(away).max() > 0.01
    np.testing.assert_allclose(landscape.potential(np.array([[0.25]])), network.potential(points).mean(), rtol=1e-12)
    exact = np.mean([network.at(point).noise().project(V) for point in points])
    np.testing.assert_allclose(noise.diffusion(np.array([[0.25]])).ravel(), exact, rtol=1e-12)


def test_a_relaxed_table_is_the_minimum_over_the_other_directions(perceptron):
    network = perceptron.minimum(tolerance=1e-9)
    settings = {"half_width": 0.05, "knots": 5}
    landscape = anharmonic_twin_of(network, 2, relax=True, **settings).landscape
    stiff = anharmonic_twin_of(network, 2, **settings).landscape
    assert np.all(landscape.knot_potential <= stiff.knot_potential + 1e-12)


def test_the_cloud_of_a_twin_carries_its_embedding(unit):
    twin = anharmonic_twin_of(unit, 2, half_width=0.3, knots=9)
    cloud = sp.simulate(*twin, sgd=SGD(0.1, 4), n_steps=10, n_particles=20, save_at=1)
    np.testing.assert_array_equal(cloud["origin"], unit.parameters)
    np.testing.assert_array_equal(cloud["basis"], twin.landscape.basis)
    assert repr(twin) == "AnharmonicTwin(-0.3 ... 0.3 by 9, -0.3 ... 0.3 by 9, within 2 parameters)"


def test_what_makes_no_table_is_refused(perceptron, unit):
    for directions in (0, 4):
        with pytest.raises(ValueError, match="directions must"):
            anharmonic_twin_of(perceptron, directions, half_width=0.1)
    with pytest.raises(ValueError, match="directions must lie between 1 and 2, got 3"):
        anharmonic_twin_of(unit, 3, half_width=0.1)
    for widths in ({}, {"half_width": 0.1, "temperature": 1e-3}):
        with pytest.raises(ValueError, match="needs one of sgd=, temperature= and half_width="):
            anharmonic_twin_of(unit, 2, **widths)
    with pytest.raises(ValueError, match="half_width must be positive"):
        anharmonic_twin_of(unit, 2, half_width=-1.0)
    with pytest.raises(ValueError, match="half_width must be one number or one for each of 2 directions"):
        anharmonic_twin_of(unit, 2, half_width=[0.1, 0.1, 0.1])
    with pytest.raises(ValueError, match="knots must be at least 4"):
        anharmonic_twin_of(unit, 2, half_width=0.1, knots=3)
    cloud = sp.train(unit, SGD(0.1, 4), n_replicas=2, n_steps=1, save_at=1)
    with pytest.raises(ValueError, match="give one of them"):
        anharmonic_twin_of(unit, 1, half_width=0.1, cloud=cloud, relax=True)
    with pytest.raises(ValueError, match="cloud must hold at least samples=40"):
        anharmonic_twin_of(unit, 2, half_width=0.1, cloud=cloud)


def test_away_from_a_minimum_it_says_so(perceptron):
    with pytest.warns(RuntimeWarning, match=r"not at a minimum: .*the table counts from a point off it; call minimum"):
        anharmonic_twin_of(perceptron, 1, half_width=0.1, knots=4)


@pytest.mark.slow
def test_tables_averaged_over_a_real_cloud_come_nearer_to_real_sgd(digits):
    # physics.md R at T = .0078: variance along the first direction, over that of the parabola; 100 replicas
    sgd = SGD(0.5, 32)
    late = 0.5 * np.arange(1000, 2000, 5)
    real = sp.train(digits, sgd, n_replicas=100, n_steps=2000, save_at=late, storage="float32")
    ratios = {}
    for name, cloud in (("alone", None), ("averaged", real)):
        twin = anharmonic_twin_of(digits, 1, sgd=sgd, knots=21, cloud=cloud)
        simulated = sp.simulate(*twin, sgd=sgd, n_steps=500, n_particles=8_000, save_at=0.5 * np.arange(100, 500, 5))
        ratios[name] = simulated["position"].values.var() / (twin.landscape.axes[0][-1] / 6) ** 2
    projected = sp.analysis.project(real, twin.landscape)["position"].values[..., 0]
    each = np.mean(projected**2, axis=0) / (twin.landscape.axes[0][-1] / 6) ** 2
    error = each.std() / 10
    assert_excluded(each.mean(), [1.0, ratios["alone"]], error)
    assert abs(ratios["averaged"] - each.mean()) < 0.5 * abs(ratios["alone"] - each.mean())
