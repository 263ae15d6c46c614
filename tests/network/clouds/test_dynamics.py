import json

import numpy as np
import pytest
import torch
from asserts import assert_excluded, assert_within

from sgdphys import SGD, SGDSchedule
from sgdphys.network import (
    GaussianDescent,
    GradientDescent,
    LangevinDescent,
    MinibatchDescent,
    Network,
    VarianceAmplifiedDescent,
    train,
)


def shifted_parabola(output, target):
    """Return x^2 - 2 c x: curvature 2, gradient 2 (x - c), of variance 4 over c = -1, 1."""
    return (output**2 - 2 * target[:, None] * output)[:, 0]


@pytest.fixture
def parabola():
    """Return the problem of physics.md 7 as a torch model of one weight, at its minimum 0."""
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.zero_()
    return Network(model, shifted_parabola, (np.ones((2, 1)), np.array([-1.0, 1.0])))


def second_and_fourth(cloud, burn_in):
    """Return variance and excess kurtosis of a cloud about 0, each with its standard error from the replicas."""
    frames = cloud["position"].values[cloud["time"].values > burn_in, :, 0]
    squares, fourth = (frames**2).mean(axis=0), (frames**4).mean(axis=0)
    root = len(squares) ** 0.5
    variance = squares.mean()
    kurtosis = fourth.mean() / variance**2 - 3
    spread = fourth / variance**2 - 2 * (kurtosis + 3) * squares / variance
    return (variance, squares.std(ddof=1) / root), (kurtosis, spread.std(ddof=1) / root)


@pytest.mark.parametrize(("amplification", "variance", "kurtosis"), [(1, 0.25, -0.94), (2, 0.2222222, -0.38)])
def test_the_scan_of_svag(parabola, amplification, variance, kurtosis):
    # physics.md 7: eta s^2/(h (2 - eta h/l)) at eta = .2, h = 2, s^2 = 4; weights (1 +- sqrt l)/2 give (1 + l)/2
    dynamics = VarianceAmplifiedDescent(amplification)
    cloud = train(parabola, SGD(0.2, 1), dynamics=dynamics, n_replicas=4000, n_steps=300 * amplification, save_at=51)
    assert cloud["time"].values[-1] == pytest.approx(60.0)
    (second, error), (fourth, fourth_error) = second_and_fourth(cloud, 5.0)
    assert_within(second, variance, error)
    assert abs(fourth - kurtosis) < 4 * fourth_error + 0.005
    assert_excluded(second, 0.2, error)  # that of the stochastic differential equation


@pytest.mark.slow
def test_the_limit_of_svag_is_the_stochastic_differential_equation(parabola):
    dynamics = VarianceAmplifiedDescent(8)
    cloud = train(parabola, SGD(0.2, 1), dynamics=dynamics, n_replicas=8000, n_steps=3200, save_at=81)
    (second, error), (fourth, fourth_error) = second_and_fourth(cloud, 5.0)
    assert_within(second, 0.2051282, error)
    assert_excluded(second, 0.2222222, error)
    assert abs(fourth + 0.06) < 4 * fourth_error + 0.005


def test_svag_takes_two_independent_batches(perceptron):
    sgd = SGD(0.1, 4)
    one = train(perceptron, sgd, dynamics=VarianceAmplifiedDescent(1), n_replicas=3, n_steps=9)["position"]
    np.testing.assert_array_equal(one, train(perceptron, sgd, n_replicas=3, n_steps=9)["position"])
    whole = SGD(0.1, 30, sampling="without")  # two equal batches: the weights add up to one
    svag = train(perceptron, whole, dynamics=VarianceAmplifiedDescent(4), n_replicas=2, n_steps=8)
    descent = train(perceptron, SGD(0.025, 4), dynamics=GradientDescent(), n_replicas=2, n_steps=8)
    np.testing.assert_allclose(svag["position"], descent["position"], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(svag["time"], descent["time"])


def test_gradient_descent_is_that_of_the_whole_data_set(perceptron):
    sgd = SGD(0.2, 5, momentum=0.6, sampling="shuffle")
    cloud = train(perceptron, sgd, dynamics=GradientDescent(), n_replicas=2, n_steps=6, save_at=7)
    x, v = perceptron.parameters, np.zeros(31)
    for frame in cloud["position"].values:
        np.testing.assert_allclose(frame, [x, x], rtol=1e-11, atol=1e-13)
        v = 0.6 * v + perceptron.gradient(x)
        x = x - 0.2 * v


@pytest.mark.parametrize("engine", ["vectorised", "loop"])
def test_a_data_set_in_unequal_pieces_has_its_mean_gradient(perceptron, monkeypatch, engine):
    def pieces(objective, extra_bytes=0, factor=1):
        assert factor == (1 if engine == "loop" else 2)
        return [slice(0, 13), slice(13, 26), slice(26, 30)]

    monkeypatch.setattr(type(perceptron.objective), "rows", pieces)
    cloud = train(perceptron, SGD(0.2, 5), dynamics=GradientDescent(), n_replicas=2, n_steps=3, engine=engine)
    monkeypatch.undo()
    whole = train(perceptron, SGD(0.2, 5), dynamics=GradientDescent(), n_replicas=2, n_steps=3, engine=engine)
    np.testing.assert_allclose(cloud["position"], whole["position"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("gradient", ["full", "batch"])
def test_langevin_kicks_have_their_temperature(parabola, gradient):
    # physics.md G4: T/(h (1 - h dt/2)); minibatches of one add lr^2 s^2 per step; kicks of T lr or 4 T lr are excluded
    noise = 2 * 0.3 * 0.1 + (0.01 * 4 if gradient == "batch" else 0)
    dynamics = LangevinDescent(0.3, gradient)
    cloud = train(parabola, SGD(0.1, 1), dynamics=dynamics, n_replicas=4000, n_steps=800, save_at=81)
    (second, error), _ = second_and_fourth(cloud, 8.0)
    assert_within(second, noise / (1 - 0.8**2), error)
    for wrong in (0.03, 0.12):
        assert_excluded(second, (noise - 0.06 + wrong) / (1 - 0.8**2), error)


@pytest.mark.parametrize(
    ("sgd", "variance"),
    [
        (SGD(0.2, 1), 0.25),
        (SGD(0.2, 2), 0.125),
        (SGD(0.1, 1, momentum=0.5), 0.1 * 4 / (2 * 0.5 * (2 - 0.1 * 2 / 1.5))),
    ],
)
def test_the_gaussian_surrogate_has_the_variance_of_sgd_and_no_kurtosis(parabola, sgd, variance):
    # physics.md 17, 1-D additive noise: eta c/(h (1 - mu) (2 - eta h/(1 + mu)))
    dynamics = GaussianDescent(parabola.noise().low_rank(1))
    cloud = train(parabola, sgd, dynamics=dynamics, n_replicas=4000, n_steps=600, save_at=61)
    (second, error), (fourth, fourth_error) = second_and_fourth(cloud, 12.0)
    assert_within(second, variance, error)
    assert_within(fourth, 0.0, fourth_error)
    assert_excluded(fourth, -0.3, fourth_error)
    assert_excluded(second, 2 * variance, error)


def test_the_gaussian_surrogate_has_the_sampling_factor(parabola):
    cloud = train(parabola, SGD(0.2, 2, sampling="without"), dynamics=GaussianDescent([[2.0]]), n_replicas=3, n_steps=5)
    assert not np.any(cloud["position"].values)


def test_a_factor_may_be_a_tensor(perceptron):
    factor = np.random.default_rng(0).normal(size=(31, 2))
    clouds = [
        train(perceptron, SGD(0.1, 4), dynamics=GaussianDescent(kind), n_replicas=2, n_steps=3)
        for kind in (factor, torch.tensor(factor))
    ]
    np.testing.assert_array_equal(*(cloud["position"] for cloud in clouds))


@pytest.mark.parametrize(
    "dynamics",
    [
        MinibatchDescent(),
        GradientDescent(),
        LangevinDescent(0.1),
        LangevinDescent(0.1, "batch"),
        VarianceAmplifiedDescent(3),
        GaussianDescent(np.ones((31, 2))),
    ],
)
def test_normals_and_minibatches_do_not_depend_on_the_grouping(perceptron, dynamics):
    settings = {"dynamics": dynamics, "n_steps": 20, "seed": 3}
    stacked = train(perceptron, SGD(0.1, 4), n_replicas=5, engine="vectorised", **settings)
    for other in (
        train(perceptron, SGD(0.1, 4), n_replicas=5, engine="loop", **settings),
        train(perceptron, SGD(0.1, 4), n_replicas=9, devices=["cpu", "cpu"], **settings),
    ):
        np.testing.assert_allclose(other["position"][:, :5], stacked["position"], rtol=1e-12, atol=1e-13)
    half = train(perceptron, SGD(0.1, 4), n_replicas=5, **(settings | {"n_steps": 7}))
    rest = train(perceptron, SGD(0.1, 4), start=half, **(settings | {"n_steps": 13}))
    np.testing.assert_array_equal(rest["position"][-1], stacked["position"][-1])
    assert json.loads(stacked.attrs["configuration"])["dynamics"] == dynamics.name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LangevinDescent(-1.0), "temperature must be finite and not negative, got -1.0"),
        (lambda: LangevinDescent(1.0, "half"), "gradient must be 'full' or 'batch', got 'half'"),
        (lambda: VarianceAmplifiedDescent(0), "amplification must be a positive integer, got 0"),
        (lambda: GaussianDescent(np.ones(3)), r"factor must be a finite matrix \(d, k\), got shape \(3,\)"),
    ],
)
def test_dynamics_of_bad_numbers_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("sgd", "dynamics", "message"),
    [
        (SGD(0.1, 4, momentum=0.5), LangevinDescent(0.1), "LangevinDescent knows no momentum, got 0.5"),
        (SGD(0.1, 4, momentum=0.5), VarianceAmplifiedDescent(2), "VarianceAmplifiedDescent knows no momentum"),
        (SGD(0.1, 4, sampling="shuffle"), VarianceAmplifiedDescent(2), "minibatches that are independent"),
        (SGD(0.1, 4, sampling="shuffle"), GaussianDescent(np.ones((31, 1))), "no effective temperature"),
        (SGD(0.1, 4), GaussianDescent(np.ones((30, 1))), "factor must have 31 rows, one for each parameter, got 30"),
        (SGDSchedule([(SGD(0.1, 4), 5)]), VarianceAmplifiedDescent(2), "give one SGD, no schedule"),
        (SGD(0.1, 4), "langevin", r"dynamics must be an object such as LangevinDescent\(temperature=0.1\)"),
    ],
)
def test_settings_without_meaning_for_the_dynamics_are_refused(perceptron, sgd, dynamics, message):
    with pytest.raises(ValueError, match=message):
        train(perceptron, sgd, dynamics=dynamics, n_steps=5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("engine", ["vectorised", "loop", "compiled"])
@pytest.mark.parametrize("dynamics", [MinibatchDescent(), LangevinDescent(0.1, "batch"), VarianceAmplifiedDescent(3)])
def test_cuda_follows_the_same_random_numbers(perceptron, classes, dynamics, engine):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
    cuda = Network(model, torch.nn.CrossEntropyLoss(), classes, weight_decay=0.02, device="cuda")
    settings = {"dynamics": dynamics, "n_replicas": 5, "n_steps": 30}
    own = train(perceptron, SGD(0.1, 4), **settings)
    other = train(cuda.at(perceptron.parameters), SGD(0.1, 4), engine=engine, **settings)
    np.testing.assert_allclose(other["position"], own["position"], rtol=1e-9, atol=1e-11)
    shared = train(perceptron, SGD(0.1, 4), devices=["cpu", "cuda"], **settings)
    np.testing.assert_allclose(shared["position"], own["position"], rtol=1e-9, atol=1e-11)
