"""Particles that leave for infinity: marked, counted, explained, and harmless to the others."""

import numpy as np
import pytest
from asserts import assert_same_bits

import sgdphys as sp
from sgdphys.errors import DivergenceWarning
from sgdphys.noises import Full
from sgdphys.observers import FirstPassage, Moments

QUARTIC = sp.landscapes.Expression("x**4/4")


def fall(start, **options):
    """A particle beyond sqrt(2/dt) = 4.47 overshoots further and further."""
    defaults = {"temperature": 0.05, "dt": 0.1, "n_steps": 60, "save_at": 7}
    return sp.simulate(QUARTIC, start=start, **{**defaults, **options})


@pytest.fixture
def mixed():
    start = np.random.default_rng(0).uniform(-3.0, 3.0, 500)
    start[::50] = 6.0
    with pytest.warns(DivergenceWarning) as warned:
        cloud = fall(start)
    return start, cloud, warned


def test_they_are_marked_and_nan_from_then_on(mixed):
    _, cloud, _ = mixed
    lost = np.zeros(500, bool)
    lost[::50] = True
    assert_same_bits(cloud["diverged"].values, lost)
    positions = cloud["position"].values[:, :, 0]
    assert np.isnan(positions[1:, lost]).all()
    assert np.isfinite(positions[0]).all()
    assert np.isfinite(positions[:, ~lost]).all()


@pytest.mark.parametrize("options", [{}, {"threads": 2, "block_size": 64}, {"save_at": 1}, {"storage": "float32"}])
def test_the_others_keep_every_bit(mixed, options):
    start, cloud, _ = mixed
    with pytest.warns(DivergenceWarning):
        again = fall(start, **options)
    alone = fall(np.where(cloud["diverged"].values, 0.0, start), **options)
    alive = ~cloud["diverged"].values
    assert_same_bits(again["position"].values[:, alive], alone["position"].values[:, alive])
    assert_same_bits(again["diverged"].values, cloud["diverged"].values)


def test_the_warning_counts_and_names_the_cause(mixed):
    _, _, warned = mixed
    (warning,) = warned
    message = str(warning.message)
    assert message.startswith("10 of 500 particles left for infinity (the first by time ")
    assert "beyond 2.35e+04); dt * curvature = 10.8 at the starts" in message  # 3 * 6^2 * dt
    assert message.endswith("exceeds 2: use dt below 0.0185")
    assert "\n" not in message


def test_the_warning_points_at_the_line_that_calls(mixed):
    _, _, warned = mixed
    assert warned[0].filename == __file__


def test_where_the_curvature_explains_it_the_warning_gives_the_largest_step():
    with pytest.warns(DivergenceWarning, match=r"dt \* curvature = 3 .* exceeds 2: use dt below 0.0667"):
        sp.simulate(sp.landscapes.Quadratic(30.0), temperature=0.1, dt=0.1, n_steps=2000, n_particles=10, start=1.0)


def test_for_sgd_the_step_is_called_lr():
    with pytest.warns(DivergenceWarning, match=r"lr \* curvature = 3 .* exceeds 2: use lr below"):
        sp.simulate(
            sp.landscapes.Quadratic(30.0), sp.noises.Isotropic(1.0), sgd=sp.SGD(lr=0.1, batch_size=1), n_steps=2000,
            n_particles=10, start=1.0,
        )  # fmt: skip


def test_without_a_hessian_the_usual_cause_is_named():
    class Blunt:
        dim = 1
        gradient_terms = sp.landscapes.Quadratic(30.0).gradient_terms

    with pytest.warns(DivergenceWarning, match="the usual cause is a time step dt = 0.1 above 2/curvature"):
        sp.simulate(Blunt(), temperature=0.1, dt=0.1, n_steps=2000, n_particles=10, start=1.0)


def test_in_a_matrix_landscape_the_others_keep_every_bit():
    """Rows are mixed by the matrix and by the noise, lanes are not."""
    saddle = sp.landscapes.Quadratic([[1.0, 0.2], [0.2, -30.0]])
    noise, start = Full([[1.0, 0.9], [0.9, 1.0]]), np.zeros((200, 2))
    start[::2, 1] = 1e67
    options = {"temperature": 0.1, "dt": 0.1, "n_steps": 8, "save_at": 3}
    with pytest.warns(DivergenceWarning, match="100 of 200"):
        cloud = sp.simulate(saddle, noise, start=start, **options)
    alone = sp.simulate(saddle, noise, start=0.0, n_particles=200, **options)
    assert_same_bits(cloud["position"].values[:, 1::2], alone["position"].values[:, 1::2])


def test_potential_and_velocity_of_the_lost_are_nan():
    sgd = sp.SGD(lr=0.1, batch_size=1, momentum=0.5)
    with pytest.warns(DivergenceWarning, match="1 of 3"):
        cloud = sp.simulate(
            QUARTIC, sp.noises.Isotropic(0.01), sgd=sgd, n_steps=60, start=[0.0, 20.0, 1.0], save_at=3,
            record_potential=True,
        )  # fmt: skip
    for name in ("position", "velocity", "potential"):
        values = cloud[name].values.reshape(3, 3, -1)
        assert np.isnan(values[1:, 1]).all()
        assert np.isfinite(values[:, [0, 2]]).all()


def test_a_continued_cloud_keeps_its_marks_and_warns_only_of_new_losses(mixed):
    _, cloud, _ = mixed
    again = sp.simulate(QUARTIC, temperature=0.05, dt=0.1, n_steps=10, start=cloud, save_at=2)
    assert_same_bits(again["diverged"].values, cloud["diverged"].values)
    assert np.isnan(again["position"].values[:, ::50]).all()


def test_nan_lies_in_no_region(mixed):
    start, _, _ = mixed
    with pytest.warns(DivergenceWarning):
        cloud = fall(start, observers=[FirstPassage("x < 1e300")])
    assert np.all(cloud["first_passage_time"] == 0)
    with pytest.warns(DivergenceWarning):
        cloud = fall(np.full(100, 6.0), observers=[FirstPassage("x > 1e75 and x < -1e75")])
    assert np.isnan(cloud["first_passage_time"]).all()


LEAKY = sp.landscapes.Expression("-x**4/4 + x**2")  # beyond sqrt(2) the particles leave for infinity in finite time


@pytest.fixture
def leaking():
    with pytest.warns(DivergenceWarning) as warned:
        cloud = sp.simulate(
            LEAKY, temperature=0.3, dt=0.05, n_steps=200, n_particles=9000, observers=[Moments()], seed=1
        )
    return cloud, str(warned[0].message)


def test_particles_in_flight_do_not_poison_the_moments(leaking):
    """With one bound of 1e70 for all runs the mean reached 5e65 and the variance 2e135."""
    cloud, _ = leaking
    bound = 1000 * (1 + 6**0.5)
    assert 1000 < cloud["diverged"].sum() < 3000
    assert np.nanmax(np.abs(cloud["position"])) < bound
    assert np.abs(cloud["mean"]).max() < 10
    assert cloud["covariance"].max() < 1e4
    within = np.abs(cloud["position"].values[..., 0]) < bound
    np.testing.assert_array_equal(cloud["moment_count"], within.sum(axis=1))


def test_the_message_says_the_bound_and_looks_at_no_particle_in_flight(leaking):
    """The wrong variant takes the curvature where a particle in flight is and advises a dt of 1e-140."""
    _, message = leaking
    assert "beyond 3.45e+03); dt * curvature = 0.1 at the starts and the known minima, but" in message
    assert message.endswith("make dt or the temperature smaller")


@pytest.mark.parametrize(
    ("landscape", "options"),
    [
        (sp.landscapes.Expression("-x**2/2"), {"t1": 20.0, "start": 0.0}),  # e^20 = 4.9e8 times the kicks
        (sp.landscapes.Expression("-1e6*x"), {"t1": 100.0, "start": 0.0}),
        (sp.landscapes.Expression("(x - 1e8)**2/2"), {"t1": 10.0, "start": 0.0}),
        (sp.landscapes.Expression("x**2/2"), {"t1": 1.0, "start": 1e12}),
        (sp.landscapes.Expression("(x**2 - 1e8)**2/4e8"), {"t1": 20.0, "start": 0.0}),
    ],
    ids=["inverted parabola", "steep slope", "far minimum", "far start", "far wells"],
)
def test_whoever_travels_far_for_good_reason_is_not_lost(landscape, options):
    cloud = sp.simulate(landscape, temperature=0.5, dt=0.01, n_particles=200, save_at=3, **options)
    assert np.isfinite(cloud["position"]).all()
    assert not cloud["diverged"].any()


def test_a_velocity_beyond_the_bound_is_no_loss():
    """At a tiny learning rate velocities are gradients, and as large."""
    sgd = sp.SGD(lr=1e-7, batch_size=1, momentum=0.9)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(1e6), sp.noises.Isotropic(1.0), sgd=sgd, n_steps=50, n_particles=10, start=1.0,
    )  # fmt: skip
    assert np.abs(cloud["velocity"]).max() > 1e6
    assert not cloud["diverged"].any()


FAR_TRAP = sp.landscapes.Driven(
    sp.landscapes.Expression("x**2/2"),
    sp.landscapes.Linear(-1.0),
    sp.schedules.Linear(0.0, 8000.0, begin=0.0, end=10.0),
)
FREE = sp.landscapes.Expression("-x")


@pytest.mark.parametrize(
    ("landscape", "options", "way"),
    [
        (FAR_TRAP, {"dt": 0.01, "t1": 10.0}, 7000.0),  # a trap that moves at 800 a time
        (FREE, {"dt": 1.0, "t1": 1e4, "integrator": sp.integrators.BAOAB(friction=0.0)}, 4.9e7),  # t^2/2
        (
            sp.landscapes.Expression("-x**2/200"),  # cosh(t/10), while e^(k t) is 7
            {"dt": 0.1, "t1": 200.0, "integrator": sp.integrators.OBABO(friction=0.0), "start": 1.0},
            2e8,
        ),
    ],
    ids=["moving trap", "free fall", "underdamped top"],
)
def test_who_is_carried_far_is_not_lost(landscape, options, way):
    cloud = sp.simulate(landscape, temperature=1e-6, n_particles=20, save_at=2, **{"start": 0.0, **options})
    assert not cloud["diverged"].any()
    assert (cloud["position"][-1] > way).all()


def test_momentum_carries_farther():
    """At momentum mu a slope carries 1/(1 - mu) as far: beyond a thousand times the way without momentum."""
    sgd = sp.SGD(lr=0.1, batch_size=1, momentum=0.9999)
    cloud = sp.simulate(FREE, sp.noises.Isotropic(0.0), sgd=sgd, n_steps=100_000, n_particles=2, save_at=1)
    assert float(cloud["position"].min()) > 5e7
    assert not cloud["diverged"].any()


def test_what_single_precision_cannot_hold_is_lost():
    """A wild step multiplies x by 100: in double precision nothing is lost before 1e70."""
    noise = sp.noises.Formula("1 + x**2")
    options = {"temperature": 0.0, "dt": 0.1, "n_steps": 25, "n_particles": 3, "start": 1.0, "save_at": 26}
    steep = sp.landscapes.Quadratic(1010.0)
    double = sp.simulate(steep, noise, **options)
    assert np.abs(double["position"].values[-1]).min() == pytest.approx(1e50, rel=1e-9)
    with pytest.warns(DivergenceWarning, match=r"beyond 1e\+38"):
        single = sp.simulate(steep, noise, storage="float32", **options)
    assert single["diverged"].all()
    assert_same_bits(np.isfinite(single["position"].values).ravel(), (np.arange(78) < 57))
