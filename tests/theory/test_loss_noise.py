import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import sgdphys as sp
from sgdphys import SGD, theory


def test_a_power_of_the_loss_on_a_line():
    sgd, x = SGD(0.2, 2), np.array([-30.0, -1, 0, 0.2, 4])
    p = theory.mori_density(x, 1.5, 0.3, sgd)
    landscape = sp.landscapes.Expression("0.3 + 0.75*x**2")
    noise = sp.noises.ProportionalToLoss(factor=2, matrix=[[1.5]])
    np.testing.assert_allclose(p, theory.stationary_density(landscape, noise, at=x, sgd=sgd), rtol=1e-10)
    assert p.attrs["loss_exponent"] == pytest.approx(1 + 2 / (0.2 * 1.5))
    assert p.attrs["loss_exponent"] == theory.tail_exponents(1.5, sgd)["loss_exponent"].item()
    fine = np.linspace(-20, 20, 200_001)
    p = theory.mori_density(fine, 1.5, 0.3, sgd)
    assert np.sum(p) * 2e-4 == pytest.approx(1, rel=1e-9)
    assert np.sum(p * fine**2) * 2e-4 == pytest.approx(theory.mori_second_moment(1.5, 0.3, sgd).item(), rel=1e-8)


def test_it_is_normalised_in_two_and_three_coordinates():
    sgd, r = SGD(0.2, 2), np.linspace(0, 60, 600_001)
    for n, sphere in ((2, 2 * np.pi), (3, 4 * np.pi)):
        points = np.zeros((len(r), n))
        points[:, -1] = r
        p = theory.mori_density(points, 1.5, 0.3, sgd)
        assert np.sum(p * sphere * r ** (n - 1)) * 1e-4 == pytest.approx(1, rel=1e-6)


def test_the_rate_on_a_line_is_that_of_kramers():
    landscape = sp.landscapes.Expression("x**4/4 - x**2/2 + 0.35")
    noise = sp.noises.ProportionalToLoss(factor=2, matrix=[[2.0]])
    errors = []
    for lr in (0.1, 0.05):
        sgd = SGD(lr, 1)
        result = theory.mori_escape_rate(2.0, -1.0, minimum_loss=0.1, saddle_loss=0.35, sgd=sgd)
        k = theory.kramers_rate(landscape, noise, temperature=sgd.temperature, minimum=-1, saddle=0).item()
        assert result["escape_rate"].item() == pytest.approx(k, rel=1e-10)
        assert result["barrier_exponent"].item() == pytest.approx(0.5 + 1 / (2 * lr))
        assert result["critical_dimension"].item() == pytest.approx(2 * (1 + 1 / (2 * lr)))
        time = theory.mean_first_passage_time(landscape, noise, temperature=sgd.temperature, start=-1, target=1)
        errors.append(float(time * result["escape_rate"]) - 1)
    assert abs(errors[1]) < 0.02 and abs(errors[1]) < 0.7 * abs(errors[0])


def _passage_time(loss, power, strength, start, target, axes):
    """Return the mean time to x > target for noise strength * f 1: div(p D grad tau) = -p with p = f^-power."""
    steps = [axis[1] - axis[0] for axis in axes]
    grid = np.meshgrid(*axes, indexing="ij")
    index = np.arange(grid[0].size).reshape(grid[0].shape)
    weights = loss(*grid) ** -power
    rows, columns, values = [], [], []
    for k, step in enumerate(steps):
        low, high = np.delete(index, -1, k).ravel(), np.delete(index, 0, k).ravel()
        middle = loss(*((axis.ravel()[low] + axis.ravel()[high]) / 2 for axis in grid))
        flow = strength * middle ** (1 - power) / step**2
        rows += [low, high, low, high]
        columns += [low, high, high, low]
        values += [flow, flow, -flow, -flow]
    matrix = scipy.sparse.csc_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))))
    open_cells = np.flatnonzero(grid[0].ravel() < target)
    times = np.zeros(grid[0].size)
    times[open_cells] = scipy.sparse.linalg.spsolve(matrix[open_cells][:, open_cells], weights.ravel()[open_cells])
    nearest = tuple(int(np.argmin(np.abs(axis - at))) for axis, at in zip(axes, start, strict=True))
    return times.reshape(grid[0].shape)[nearest]


def test_the_rate_in_two_coordinates():
    # curvature 2 in both directions of the well, 3 beside the saddle; a power without n/2 would be off by (L_s/L*)^.5
    def loss(x, y):
        return 0.1 + (x**2 - 1) ** 2 / 4 + (3 - x**2) * np.exp(-((x**2 - 1) ** 2)) * y**2 / 2

    beside = 3 * np.exp(-1)
    axes = np.linspace(-1.8, 1.2, 181), np.linspace(-1, 1, 121)
    errors = []
    for lr in (0.1, 0.05):
        sgd = SGD(lr, 1)
        result = theory.mori_escape_rate(2.0, [-1.0, beside], minimum_loss=0.1, saddle_loss=0.35, sgd=sgd)
        time = _passage_time(loss, 1 + 1 / (2 * lr), 2 * lr, (-1, 0), 0.9, axes)
        errors.append(time * result["escape_rate"].item() - 1)
    assert 0 < errors[1] < 0.5 * errors[0] < 0.05


@pytest.mark.parametrize(
    ("saddle", "options", "message"),
    [
        (1.0, {}, "one falling direction"),
        ([-1.0, -2.0], {}, "one falling direction"),
        (-1.0, {"saddle_loss": 0.05}, "saddle_loss must be above minimum_loss"),
        (-1.0, {"minimum_loss": 0.0}, "minimum_loss must be positive"),
        (-1.0, {"curvature": -1.0}, "curvature must be positive"),
        ([-1.0, 1, 1, 1, 1], {"sgd": SGD(1.0, 1)}, r"5 noisy directions have no stationary state.*n_c = 4"),
        (-1.0, {"sgd": SGD(0.1, 1, momentum=0.5)}, "without momentum"),
    ],
)
def test_rates_without_an_answer_are_refused(saddle, options, message):
    known = {"curvature": 1.0, "minimum_loss": 0.1, "saddle_loss": 0.3, "sgd": SGD(0.1, 1)} | options
    with pytest.raises(ValueError, match=message):
        theory.mori_escape_rate(known.pop("curvature"), saddle, **known)


def test_densities_without_an_answer_are_refused():
    with pytest.raises(ValueError, match="4 noisy directions"):
        theory.mori_density(np.zeros((1, 4)), 1.0, 0.1, SGD(1.0, 1))
    with pytest.raises(ValueError, match="at must be finite points"):
        theory.mori_density([np.inf], 1.0, 0.1, SGD(1.0, 1))
