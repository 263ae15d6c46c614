"""One function for each property, applied to everything that claims it."""

from __future__ import annotations

import json

import numpy as np


def assert_generator(matrix):
    """Columns sum to zero and no off-diagonal is negative: probability is kept and stays positive."""
    largest = abs(matrix).max()
    assert abs(np.asarray(matrix.sum(axis=0))).max() <= 1e-13 * largest
    off_diagonal = matrix.tocoo()
    assert off_diagonal.data[off_diagonal.row != off_diagonal.col].min() >= 0


def assert_stationary(matrix, density, tolerance=1e-13):
    """No row of L p exceeds rounding of its terms: |L p| <= tolerance |L| p with row norms."""
    scale = abs(matrix).sum(axis=1).max() * density.max()
    assert np.abs(matrix @ density).max() <= tolerance * scale


def assert_keeps_mass(density, tolerance=1e-13):
    """The total probability of every frame is one."""
    np.testing.assert_allclose(density["mass"].values, 1.0, rtol=0, atol=tolerance)


def assert_never_negative(density):
    """No cell of any frame holds less than nothing."""
    assert float(density["density"].min()) >= 0


def assert_falls(values, rounding=1e-12):
    """Every value is below the one before, up to rounding of the largest."""
    values = np.asarray(values)
    assert np.all(np.diff(values) <= rounding * np.abs(values).max()), np.diff(values).max()


def assert_within(estimate, exact, standard_error, largest=4.0):
    """The estimate is at most ``largest`` standard errors away from the exact value."""
    z = (np.asarray(estimate) - np.asarray(exact)) / np.asarray(standard_error)
    assert np.all(np.abs(z) < largest), f"z = {z}"


def assert_second_order(errors, slack=0.15):
    """Errors at spacings h, h/2, h/4, ... fall by four each time."""
    orders = np.log2(np.abs(errors[:-1]) / np.abs(errors[1:]))
    assert np.all(np.abs(orders - 2) < slack), f"orders {orders}"


def central_difference(field, points, step=6e-6):
    """Return the derivative of ``field`` (particle, ...) by each coordinate, as the last axis; error about 1e-10."""
    moves = step * np.eye(points.shape[1])
    return np.stack([(field(points + move) - field(points - move)) / (2 * step) for move in moves], axis=-1)


def assert_gradient_is_derivative(landscape, points, relative=1e-6):
    """The gradient is the derivative of the potential; its negative (a force) is far off."""
    gradient = landscape.gradient(points)
    assert gradient.shape == points.shape
    scale = np.max(np.abs(gradient))
    difference = central_difference(landscape.potential, points)
    assert np.max(np.abs(gradient - difference)) < relative * scale
    assert np.max(np.abs(-gradient - difference)) > scale


def assert_hessian_is_derivative(landscape, points, relative=1e-6):
    """The Hessian is the derivative of the gradient, and symmetric."""
    hessian = landscape.hessian(points)
    assert hessian.shape == (*points.shape, points.shape[1])
    scale = np.max(np.abs(hessian)) + np.max(np.abs(landscape.gradient(points)))
    assert np.max(np.abs(hessian - central_difference(landscape.gradient, points))) < relative * scale
    assert np.max(np.abs(hessian - hessian.transpose(0, 2, 1))) <= 1e-12 * scale


def assert_critical_points(landscape):
    """Minima and saddles have no gradient; minima curve up in all directions, saddles in all but one."""
    for points, falling in ((landscape.minima, 0), (landscape.saddles, 1)):
        assert points.ndim == 2
        assert points.shape[1] == landscape.dim
        if len(points):
            assert np.max(np.abs(landscape.gradient(points))) < 1e-10
            eigenvalues = np.linalg.eigvalsh(landscape.hessian(points))
            assert np.all(np.count_nonzero(eigenvalues < 0, axis=1) == falling)
            assert np.all(eigenvalues != 0)


def assert_configuration_is_complete(landscape, restore, points):
    """The configuration survives JSON and, with the variables, makes the same landscape again, to the bit."""
    configuration = json.loads(json.dumps(landscape.configuration()))
    again = restore(configuration, {name: array for name, (_, array) in landscape.variables().items()})
    assert np.array_equal(again.potential(points), landscape.potential(points))
    assert np.array_equal(again.gradient(points), landscape.gradient(points))
    assert np.array_equal(again.hessian(points), landscape.hessian(points))
    assert again.configuration() == landscape.configuration()


def assert_excluded(estimate, wrong, standard_error, smallest=10.0):
    """The value of a wrong variant lies at least ``smallest`` standard errors away: the test above resolves it."""
    z = (np.asarray(estimate) - np.asarray(wrong)) / np.asarray(standard_error)
    assert np.all(np.abs(z) > smallest), f"z = {z}"


def assert_same_bits(first, second):
    """Two arrays, or two Datasets in all their variables, agree to the bit; NaN equals NaN."""
    if hasattr(first, "data_vars"):
        assert set(first.variables) == set(second.variables)
        for name in first.variables:
            np.testing.assert_array_equal(first[name].values, second[name].values, err_msg=str(name))
    else:
        np.testing.assert_array_equal(first, second)


def assert_kick_has_diffusion(noise, landscape, points, n_particles=100_000):
    """At each point B B^T = D to rounding, one step's kicks have covariance 2 T dt D, and its mean is the Ito drift.

    The drift is -(grad f - a T div D) dt with a = 0, 1/2, 1 for Ito, Stratonovich, Haenggi-Klimontovich.
    """
    import sgdphys as sp

    diffusion = noise.diffusion(points)
    scale = np.abs(diffusion).max() + 1e-300
    if noise.gaussian:
        roots = roots_of(noise, points)
        np.testing.assert_allclose(roots @ roots.transpose(0, 2, 1), diffusion, rtol=0, atol=1e-9 * scale)
    temperature, dt = 0.5, 0.01
    options = {"temperature": temperature, "dt": dt, "n_steps": 1, "n_particles": n_particles, "save_at": 1}
    for point, matrix, drift in zip(points, diffusion, ito_drift(noise, landscape, points, temperature), strict=True):
        cloud = sp.simulate(landscape, noise, **options, start=np.tile(point, (n_particles, 1)))
        kicks = (cloud["position"].values[0] - point - dt * drift) / np.sqrt(2 * temperature * dt)
        error = np.sqrt((np.outer(np.diag(matrix), np.diag(matrix)) + matrix**2) / n_particles)
        assert np.all(np.abs(kicks.T @ kicks / n_particles - matrix) <= 4 * error + 1e-6 * scale + 1e-12)
        assert np.all(np.abs(kicks.mean(axis=0)) <= 4 * np.sqrt(np.diag(matrix) / n_particles) + 1e-6)


def ito_drift(noise, landscape, points, temperature):
    """Return -grad f + a T div D at points (particle, coordinate)."""
    from sgdphys.kernels import evaluate

    multiple = {"ito": 0.0, "stratonovich": 0.5, "hanggi-klimontovich": 1.0}[noise.interpretation]
    divergence = evaluate(noise.divergence_terms(landscape.dim), points, landscape.dim)
    return multiple * temperature * divergence - landscape.gradient(points)


def roots_of(noise, points):
    """Return B at points (particle, coordinate) from the kick's kernel on unit deviates, one channel at a time."""
    lanes = np.ascontiguousarray(points.T)
    dim, channels = len(lanes), noise.channels(len(lanes))
    term = noise.kick_term(dim)
    roots = np.empty((len(points), dim, channels))
    for channel in range(channels):
        deviates = np.zeros((channels, len(points)), np.float32)
        deviates[channel] = 1
        out, work = np.empty(lanes.shape), np.full((noise.work_rows(dim), len(points)), np.nan)
        parameters = np.array(term.parameters)
        term.kernel.compiled(deviates, lanes, parameters, term.factor, work, np.zeros(lanes.shape), out)
        roots[:, :, channel] = out.T
    return roots


def assert_divergence_is_derivative(noise, points, relative=1e-6):
    """Row i of the divergence is the sum of d_j D_ij over j."""
    from sgdphys.kernels import evaluate

    dim = points.shape[1]
    divergence = evaluate(noise.divergence_terms(dim), points, dim)
    slopes = central_difference(noise.diffusion, points)
    expected = np.einsum("pijj->pi", slopes)
    scale = np.abs(slopes).max() + 1e-12
    assert np.max(np.abs(divergence - expected)) < relative * scale
