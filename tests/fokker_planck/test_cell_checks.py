import json

import numpy as np
import pytest

import sgdphys as sp
from sgdphys.fokker_planck import Grid, Underdamped, discretise, stationary

LINE, PLANE = Grid([(-2, 2, 40)]), Grid([(-2, 2, 10), (-2, 2, 12)])
RING = Grid([(0, 2 * np.pi, 40)], "periodic")
TURNED = sp.noises.Full([[1.0, 0.3], [0.3, 1.0]])


class Plain:
    """x^2 in two coordinates, and whatever else is given."""

    dim = 2

    def __init__(self, **functions):
        vars(self).update(functions)

    def potential(self, x):
        return (x**2).sum(axis=1)


class Given:
    """A diffusion given as a function, and nothing else."""

    def __init__(self, function, additive=False):
        self.diffusion, self.additive = function, additive


def constant(matrix):
    return lambda x: np.broadcast_to(np.array(matrix, dtype=float), (len(x), *np.shape(matrix)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": "0.1"}, "temperature must be positive and finite on a grid, got 0.1"),
        ({"temperature": 0.1j}, "temperature must be positive"),
        ({"temperature": [0.1, 0.2]}, "temperature must be positive"),
        ({"temperature": float("inf")}, "temperature must be positive"),
        ({"landscape": None}, "a landscape has dim and potential"),
        ({"grid": [(-1, 1, 10)]}, "grid must be a Grid"),
        ({"noise": 1.0}, r"noise must have diffusion\(x\)"),
        ({"noise": sp.noises.Isotropic}, r"noise must have diffusion\(x\)"),
        ({"noise": sp.noises.Stable(1.5)}, "is not Gaussian"),
        ({"noise": TURNED}, r"Plain needs gradient\(x\) for a diffusion that .* mixes coordinates"),
        ({"noise": sp.noises.Formula("1 + x**2")}, r"Plain needs gradient\(x\)"),
        (
            {"noise": TURNED, "landscape": Plain(gradient=lambda x: np.where(x > 1, np.nan, x))},
            "the gradient is not finite in 48 cells",
        ),
        (
            {"noise": TURNED, "landscape": Plain(gradient=lambda x: x[:, 0])},
            r"gradient\(x\) must have shape \(120, 2\)",
        ),
        ({"landscape": Plain(circulation=lambda x: np.full_like(x, np.inf))}, "the circulation is not finite in 120"),
        ({"landscape": Plain(circulation=lambda x: x[:, 0])}, r"circulation\(x\) must have shape \(120, 2\)"),
        ({"noise": Given(constant([[1, 0.3], [0.1, 1]]))}, "must be symmetric, .* differs from its transpose by 0.2"),
        ({"noise": Given(constant([[1, 0.3], [0.1, 1]]), additive=True)}, "must be symmetric"),
        ({"noise": Given(lambda x: (1 - x[:, :1, None] ** 2 / 2) * np.eye(2))}, "smallest eigenvalue at .* is -0.62"),
        ({"noise": Given(lambda x: np.where(x[:, :1, None] > 1, np.nan, np.eye(2)))}, "the diffusion is not finite"),
        ({"noise": Given(lambda x: np.ones(len(x)))}, r"diffusion\(x\) must have shape \(120, 2, 2\)"),
        (
            {"landscape": sp.landscapes.Expression("cos(x)"), "noise": sp.noises.Formula("1 + x**2"), "grid": RING},
            r"axis 0 is periodic, but the diffusion is \[\[1.0\]\] at \(0\) and \[\[40.478.*\]\] at \(6.28319\)",
        ),
    ],
)
def test_what_cannot_be_put_on_cells_is_refused_in_one_line(arguments, message):
    settings = {"landscape": Plain(), "temperature": 0.1, "grid": PLANE} | arguments
    with pytest.raises(ValueError, match=message) as refusal:
        discretise(settings.pop("landscape"), settings.pop("noise", None), **settings)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("landscape", [None, Underdamped(sp.landscapes.Quadratic(1.0), 1.0)])
def test_velocities_need_a_landscape_of_positions(landscape):
    with pytest.raises(ValueError, match="Underdamped needs a landscape of positions"):
        Underdamped(landscape, 1.0)


def test_a_diffusion_that_closes_on_the_ring_is_taken():
    # Ito, f = 0: p ~ 1/D
    noise = sp.noises.Formula("1 + 0.5*sin(x)")
    state = stationary(sp.landscapes.Expression("0*x"), noise, temperature=0.3, grid=RING)
    product = state["density"].values[0] * (1 + 0.5 * np.sin(RING.centres[0]))
    np.testing.assert_allclose(product, product[0], rtol=1e-12)


def test_a_noise_without_configuration_is_named_by_its_class():
    noise = Given(lambda x: np.ones((len(x), 1, 1)), additive=True)
    state = stationary(sp.landscapes.Quadratic(1.0), noise, temperature=0.1, grid=LINE)
    assert json.loads(state.attrs["configuration"])["noise"] == {"noise": "Given"}
