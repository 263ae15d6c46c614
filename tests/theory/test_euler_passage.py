import numpy as np
import pytest
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys import theory

WELL = sp.landscapes.DoubleWell()
TOP, JOINT = 1.5**0.5, 0.06**0.5


class TwoParabolas:
    """A well of curvature 4 joined smoothly to a barrier of curvature -1 and height .6."""

    dim = 1

    def gradient(self, x):
        return np.where(x < JOINT, 4 * x, TOP - x)


class NoiseOfCurvature:
    """D = 4 in the well and 1 beyond its end."""

    def diffusion(self, x):
        return (4 - 1.5 * (1 + np.tanh((x - JOINT) / 0.05)))[:, :, None]


def passage(interpretation, dt):
    return theory.euler_first_passage_time(
        TwoParabolas(), NoiseOfCurvature(), temperature=0.15, dt=dt, start=0, target=TOP + 1,
        interpretation=interpretation,
    ).item()  # fmt: skip


@pytest.mark.parametrize(
    ("interpretation", "coarse", "fine"),
    [("ito", 54.995, 55.654), ("stratonovich", 83.777, 85.936), ("hanggi-klimontovich", 137.220, 144.713)],
)
def test_noise_that_follows_the_curvature(interpretation, coarse, fine):
    assert passage(interpretation, 0.002) == pytest.approx(coarse, rel=1.5e-4)
    assert passage(interpretation, 2e-4) == pytest.approx(fine, rel=1.5e-4)


@pytest.mark.parametrize(("interpretation", "share"), [("ito", 1.0), ("hanggi-klimontovich", 0.0)])
def test_the_midpoint_rule_with_the_exact_derivative_of_the_diffusion(interpretation, share):
    T, dt, width = 0.15, 0.002, 0.004
    y = TOP + 1 - width * (np.arange(1250) + 0.5)

    def transition(x):
        D = NoiseOfCurvature().diffusion(x[:, None])[:, 0, 0]
        slope = -30 / np.cosh((x - JOINT) / 0.05) ** 2
        mean = x - (TwoParabolas().gradient(x) - (1 - share) * T * slope) * dt
        variance = 2 * T * D * dt
        away = y[None, :] - mean[:, None]
        return width * np.exp(-(away**2) / (2 * variance[:, None])) / np.sqrt(2 * np.pi * variance)[:, None]

    times = np.linalg.solve(np.eye(len(y)) - transition(y), np.full(len(y), dt))
    assert passage(interpretation, dt) == pytest.approx(dt + transition(np.zeros(1))[0] @ times, rel=3e-5)


def test_the_double_well_seen_once_a_step():
    options = {"temperature": 0.1, "dt": 0.01}
    across, top, mirrored = (
        theory.euler_first_passage_time(WELL, start=start, target=target, **options).item()
        for start, target in ((-1, 1), (-1, 0), (1, 0))
    )
    assert across == pytest.approx(66.360, abs=6e-4)
    assert top == pytest.approx(32.70, abs=6e-3)
    assert mirrored == pytest.approx(top, rel=1e-9)


def test_the_chain_itself_takes_so_long():
    # to the top of the well at T = .2, dt = .05: n = 12,000, exponential-like, all absorbed; the process is excluded
    rng, n, T, dt = np.random.default_rng(0), 12_000, 0.2, 0.05
    x, arrival = np.full(n, -1.0), np.zeros(n)
    for step in range(1, 4001):
        alive = arrival == 0
        if not alive.any():
            break
        here = x[alive]
        x[alive] = here - (here**3 - here) * dt + np.sqrt(2 * T * dt) * rng.normal(size=len(here))
        arrival[alive & (x > 0)] = step * dt
    assert np.all(arrival > 0)
    error = arrival.std() / n**0.5
    exact = theory.euler_first_passage_time(WELL, temperature=T, dt=dt, start=-1, target=0).item()
    assert_within(arrival.mean(), exact, error)
    limit = theory.mean_first_passage_time(WELL, temperature=T, start=-1, target=0).item()
    assert_excluded(arrival.mean(), limit, error)


def test_chains_without_an_answer_are_refused():
    with pytest.raises(ValueError, match="start and target must differ"):
        theory.euler_first_passage_time(WELL, temperature=0.1, dt=0.01, start=1, target=1)
    with pytest.raises(ValueError, match="points, at most 6000 are solved"):
        theory.euler_first_passage_time(WELL, temperature=0.1, dt=1e-7, start=-1, target=1)
    with pytest.raises(ValueError, match="dt must be positive"):
        theory.euler_first_passage_time(WELL, temperature=0.1, dt=0.0, start=-1, target=1)
    with pytest.raises(ValueError, match="give wall="):
        theory.euler_first_passage_time(sp.landscapes.Quadratic([[0.0]]), temperature=0.1, dt=0.01, start=-1, target=1)
