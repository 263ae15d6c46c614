import numpy as np
import pytest
from asserts import assert_excluded, assert_within

from sgdphys import SGD, theory
from sgdphys.schedules import SGDSchedule

BY_LR = SGDSchedule.from_epochs([(SGD(lr, 10, n_samples=1000), 5) for lr in (0.1, 0.02, 0.004)])
BY_BATCH = SGDSchedule.from_epochs([(SGD(0.1, size, n_samples=1000), 5) for size in (10, 50, 250)])


def variances(schedule, mode="discrete", **options):
    return theory.covariance_through_stages([[1.0]], [[1.0]], schedule, mode=mode, **options)["stage_covariance"].values


def test_decaying_the_rate_and_growing_the_batch_differ_by_the_discreteness():
    by_lr, by_batch = variances(BY_LR).ravel(), variances(BY_BATCH).ravel()
    np.testing.assert_allclose(by_lr, [0.00526316, 0.00101010, 0.00021511], atol=5.1e-9)
    np.testing.assert_allclose(by_batch, [0.00526316, 0.00105263, 0.00022297], atol=5.1e-9)
    np.testing.assert_allclose(by_batch / by_lr, [1, 1.04211, 1.03654], atol=2e-5)


def test_the_equation_makes_no_difference_between_them():
    np.testing.assert_allclose(variances(BY_LR, "lyapunov"), variances(BY_BATCH, "lyapunov"), rtol=1e-12)


def test_with_momentum_a_long_stage_ends_in_its_stationary_state():
    H, C = np.array([[1.0, 0.3], [0.3, 2.0]]), np.array([[1.0, -0.4], [-0.4, 0.5]])
    sgd = SGD(0.1, 4, momentum=0.8, n_samples=9, sampling="without")
    for mode in ("discrete", "lyapunov"):
        end = theory.covariance_through_stages(H, C, SGDSchedule([(sgd, 2000)]), mode=mode)["stage_covariance"].values[
            -1
        ]
        exact = theory.stationary_covariance(H, C, sgd, mode)["stationary_covariance"].values
        np.testing.assert_allclose(end, exact, rtol=1e-10)


def test_updates_and_times_of_the_stages():
    for schedule, updates in ((BY_LR, [500, 1000, 1500]), (BY_BATCH, [500, 600, 620])):
        result = theory.covariance_through_stages([[1.0]], [[1.0]], schedule)
        np.testing.assert_array_equal(result["stage_updates"], updates)
        np.testing.assert_allclose(result["stage_time"], [50, 60, 62])


def test_momentum_carries_its_velocity_over_to_the_next_stage():
    # two correlated coordinates, 4 + 3 steps, against the map itself; n = 20,000
    H, C = np.array([[1.0, 0.3], [0.3, 2.0]]), np.array([[1.0, -0.4], [-0.4, 0.5]])
    schedule = SGDSchedule([(SGD(0.3, 2, momentum=0.8), 4), (SGD(0.05, 8, momentum=0.8), 3)])
    rng = np.random.default_rng(7)
    start = np.array([[0.5, 0.1], [0.1, 0.2]])
    x, v = rng.multivariate_normal([0, 0], start, size=20_000), 0.0
    for sgd, n_steps in schedule.stages:
        root = np.linalg.cholesky(C / sgd.batch_size)
        for _ in range(n_steps):
            v = 0.8 * v + x @ H + rng.normal(size=x.shape) @ root.T
            x = x - sgd.lr * v
    products = x[:, :, None] * x[:, None, :]
    error = products.std(axis=0) / len(x) ** 0.5
    result = theory.covariance_through_stages(H, C, schedule, start=start)["stage_covariance"].values[-1]
    assert_within(products.mean(axis=0), result, error)
    stopped = theory.covariance_through_stages(
        H,
        C,
        SGDSchedule(schedule.stages[1:]),
        start=theory.covariance_through_stages(H, C, SGDSchedule(schedule.stages[:1]), start=start)[
            "stage_covariance"
        ].values[0],
    )["stage_covariance"].values[-1]
    assert_excluded(np.diag(products.mean(axis=0)), np.diag(stopped), np.diag(error))


@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (BY_LR, {"mode": "ito"}, "mode must be 'discrete' or 'lyapunov', got 'ito'"),
        (BY_LR, {"start": np.eye(2)}, r"start must have the shape of the Hessian, \(1, 1\), got \(2, 2\)"),
        (SGDSchedule([(SGD(0.1, 1), 5), (SGD(3.0, 1), 5)]), {}, r"lr \* lambda_max = 3 must be below"),
        (SGDSchedule([(SGD(0.1, 1, n_samples=5, sampling="shuffle"), 5)]), {}, "has no effective temperature"),
    ],
)
def test_stages_without_an_answer_are_refused(schedule, options, message):
    with pytest.raises(ValueError, match=message):
        variances(schedule, **options)
