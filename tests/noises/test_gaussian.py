"""Every Gaussian noise: its kick has the diffusion it claims; what is no diffusion is refused."""

import naive
import numpy as np
import pytest
from asserts import assert_excluded, assert_within

import sgdphys as sp
from sgdphys.kernels.philox import key_of
from sgdphys.noises import Diagonal, Full, Isotropic, LowRank

FACTOR = np.random.default_rng(3).normal(size=(5, 2))
MATRIX = np.cov(np.random.default_rng(4).normal(size=(5, 40)))
NOISES = [
    (Isotropic(2.5), 1, 2.5 * np.eye(1)),
    (Isotropic(0.3), 4, 0.3 * np.eye(4)),
    (Isotropic(0.0), 2, np.zeros((2, 2))),
    (Diagonal([2.0, 0.0, 0.5]), 3, np.diag([2.0, 0.0, 0.5])),
    (Full(MATRIX), 5, MATRIX),
    (Full(FACTOR @ FACTOR.T), 5, FACTOR @ FACTOR.T),
    (Full([[4.0]]), 1, [[4.0]]),
    (Full(np.zeros((2, 2))), 2, np.zeros((2, 2))),
    (LowRank(FACTOR), 5, FACTOR @ FACTOR.T),
    (LowRank(FACTOR.T), 2, FACTOR.T @ FACTOR),
]
NAMES = [f"{type(noise).__name__}-{dim}" for noise, dim, _ in NOISES]


@pytest.mark.parametrize(("noise", "dim", "matrix"), NOISES, ids=NAMES)
def test_diffusion_is_the_matrix_at_every_point(noise, dim, matrix):
    diffusion = noise.diffusion(np.random.default_rng(0).normal(size=(7, dim)))
    assert diffusion.shape == (7, dim, dim)
    np.testing.assert_allclose(diffusion, np.broadcast_to(matrix, (7, dim, dim)), atol=1e-13)


@pytest.mark.parametrize(("noise", "dim", "_matrix"), NOISES, ids=NAMES)
def test_a_kick_is_the_root_times_the_normals(noise, dim, _matrix):
    """One step from the origin of a flat landscape is sqrt(2 T dt) B xi, with the naive normals."""
    root = root_of(noise, dim)
    cloud = sp.simulate(flat(dim), noise, temperature=0.5, dt=0.25, n_steps=1, n_particles=3, seed=8, save_at=1)
    kicks = [0.5 * root @ naive.normals(key_of(8), particle, 0, noise.channels(dim)) for particle in range(3)]
    np.testing.assert_allclose(cloud["position"].values[0], kicks, rtol=2e-6, atol=2e-6)


def root_of(noise, dim):
    if isinstance(noise, Isotropic):
        return np.sqrt(noise.c) * np.eye(dim)
    return np.diag(np.sqrt(noise.c)) if isinstance(noise, Diagonal) else noise.factor


def flat(dim):
    return sp.landscapes.Quadratic(np.zeros((dim, dim)))


def test_a_large_matrix_is_not_written_out():
    text = str(Full(np.eye(50)).configuration())
    assert len(text) < 200


def test_noise_holds_the_diffusion_not_its_root():
    """Variance of one kick at 2 T dt = 1: D itself; a noise that took its argument for the root would give D^2."""
    cloud = sp.simulate(flat(1), Isotropic(3.0), temperature=0.5, dt=1.0, n_steps=1, n_particles=100_000, save_at=1)
    variance = float(cloud["position"].var())
    error = 3 * np.sqrt(2 / 100_000)
    assert_within(variance, 3.0, error)
    assert_excluded(variance, 9.0, error)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Isotropic(-1.0), "not negative, got -1"),
        (lambda: Isotropic(float("nan")), "finite"),
        (lambda: Isotropic("a"), "the diffusion c must be finite and not negative, got a"),
        (lambda: Isotropic(None), "the diffusion c must be finite and not negative, got None"),
        (lambda: Isotropic([1.0, 2.0]), "finite and not negative"),
        (lambda: Diagonal([1.0, -0.5]), "not negative, got -0.5"),
        (lambda: Diagonal([1.0, np.inf]), "got inf"),
        (lambda: Diagonal([[1.0]]), r"shape \(coordinate,\)"),
        (lambda: Diagonal(2.0), "for one value use Isotropic"),
        (lambda: Diagonal([]), r"shape \(coordinate,\)"),
        (lambda: Full([[1.0, 0.5], [0.0, 1.0]]), "symmetric"),
        (lambda: Full([[1.0, 2.0], [2.0, 1.0]]), "positive semi-definite"),
        (lambda: Full([[-1.0]]), "positive semi-definite"),
        (lambda: Full([[np.nan]]), "finite"),
        (lambda: Full([1.0]), "square"),
        (lambda: LowRank([1.0]), r"shape \(coordinate, channel\)"),
        (lambda: LowRank([[np.inf]]), "finite"),
        (lambda: Diagonal([1.0, 1.0]).kick_term(3), "2 coordinates, the landscape has 3"),
        (lambda: Full(np.eye(2)).kick_term(3), "2 coordinates, the landscape has 3"),
        (lambda: LowRank(np.ones((2, 1))).kick_term(1), "2 coordinates, the landscape has 1"),
        (lambda: Full(np.eye(2)).diffusion(np.zeros((4, 3))), "2 coordinates, the points have 3"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_noises_cannot_be_changed():
    noise = Full(np.eye(2))
    with pytest.raises(ValueError, match="read-only"):
        noise.matrix[0, 0] = 5.0


@pytest.mark.parametrize(
    ("noise", "text"),
    [
        (Diagonal([1.0, 2.0]), "Diagonal([1.0, 2.0])"),
        (Diagonal(np.linspace(0.5, 2, 40)), "Diagonal(dim=40, c from 0.5 to 2)"),
        (Full(np.eye(2)), "Full([[1.0, 0.0], [0.0, 1.0]])"),
        (Full(np.eye(40)), "Full(dim=40, trace 40)"),
        (LowRank(np.ones((40, 2))), "LowRank(dim=40, rank 2, trace 80)"),
    ],
)
def test_a_large_noise_is_shown_in_one_line(noise, text):
    assert repr(noise) == text


@pytest.mark.parametrize(("lr", "batch_size", "ratio"), [(0.08, 8, 1.0854), (0.16, 16, 1.1930)])
def test_excess_loss_where_the_noise_is_the_hessian(lr, batch_size, ratio):
    """C = H at equal lr/B: E f = (lr/2B) sum h/(2 - lr h) of the map, not (lr/4B) tr H of the equation."""
    h = np.logspace(-1, 0.5, 10)
    sgd = sp.SGD(lr=lr, batch_size=batch_size)
    cloud = sp.simulate(
        sp.landscapes.Quadratic(np.diag(h)), Diagonal(h), sgd=sgd, n_steps=int(60 / lr), n_particles=30_000, start=0.0,
        seed=1, save_at=1,
    )  # fmt: skip
    loss = 0.5 * cloud["position"].values[0] ** 2 @ h
    error = loss.std() / np.sqrt(len(loss))
    continuous = sgd.temperature / 2 * h.sum()
    assert_within(loss.mean(), lr / (2 * batch_size) * np.sum(h / (2 - lr * h)), error)
    assert lr / (2 * batch_size) * np.sum(h / (2 - lr * h)) / continuous == pytest.approx(ratio, abs=1e-4)
    assert_excluded(loss.mean(), continuous, error)
