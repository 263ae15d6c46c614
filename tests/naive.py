"""Slow, obvious reference implementations: plain Python integers and one particle at a time.

The counter layout is written down here a second time on purpose: a change of it in the engine must be seen.
"""

from __future__ import annotations

import math

import numpy as np

WORD = 2**32


def philox(key, counter):
    """Return the four words of Philox4x32-10 (Salmon et al. 2011, SC'11) for two words of key and four of counter."""
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for _ in range(10):
        high_0, low_0 = divmod(0xD2511F53 * c0, WORD)
        high_1, low_1 = divmod(0xCD9E8D57 * c2, WORD)
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = (k0 + 0x9E3779B9) % WORD, (k1 + 0xBB67AE85) % WORD
    return c0, c1, c2, c3


def words(key, particle, step, stream, group):
    """Return the four words of the package's counter layout, version 1."""
    counter = (
        particle % WORD,
        step % WORD,
        stream * 2**24 + group,
        (particle // WORD) * 2**16 + step // WORD,
    )
    return philox((key % WORD, key // WORD), counter)


def box_muller(radius_word, angle_word):
    """Return two normals of two words: u = (w + 1) / 2^32 gives the radius, the other word the angle of a full turn."""
    radius = math.sqrt(-2 * math.log((radius_word + 1) / WORD))
    angle = 2 * math.pi * angle_word / WORD
    return radius * math.cos(angle), radius * math.sin(angle)


def normal(key, particle, step, stream, channel):
    """Return the normal of one particle, step and channel: the four words of a call serve four consecutive steps."""
    w0, w1, w2, w3 = words(key, particle, step // 4, stream, channel)
    return (*box_muller(w0, w1), *box_muller(w2, w3))[step % 4]


def normals(key, particle, step, channels, stream=1):
    """Return the normals of all channels."""
    return np.array([normal(key, particle, step, stream, channel) for channel in range(channels)])


def euler_maruyama(gradient, root, start, *, dt, temperature, steps, key, particle=0, first_step=0):
    """Return the path (steps + 1, coordinate) of one particle: x <- x - dt grad f(x) + sqrt(2 T dt) B xi."""
    root = np.atleast_2d(root)
    path = [np.array(start, dtype=float)]
    for step in range(first_step, first_step + steps):
        kick = math.sqrt(2 * temperature * dt) * root @ normals(key, particle, step, root.shape[1])
        path.append(path[-1] - dt * gradient(path[-1]) + kick)
    return np.array(path)


def heavy_ball(gradient, root, start, *, sgd, steps, key, particle=0):
    """Return positions and velocities (steps + 1, coordinate) of SGD in torch's convention with Gaussian noise."""
    root = np.atleast_2d(root)
    x, v = np.array(start, dtype=float), np.zeros(len(start))
    positions, velocities = [x], [v]
    for step in range(steps):
        kick = math.sqrt(sgd.sampling_factor / sgd.batch_size) * root @ normals(key, particle, step, root.shape[1])
        v = sgd.momentum * v + gradient(x) + sgd.weight_decay * x - kick
        x = x - sgd.lr * v
        positions.append(x)
        velocities.append(v)
    return np.array(positions), np.array(velocities)


def sample_index(key, particle, counter, batch, position, n, sampling):
    """Return the sample at one position of a minibatch; orders are the swap-or-not shuffle of 32 rounds."""
    group = batch * 2**23
    if sampling == "replacement":
        return words(key, particle, counter, 3, group + position // 4)[position % 4] * n // WORD
    x, state = position, list(words(key, particle, counter, 3, group + 2**22))
    for _ in range(32):
        pivot, salt = xoshiro(state) * n // WORD, xoshiro(state)
        partner = (pivot - x) % n
        mixed = max(x, partner) ^ salt
        mixed = (mixed ^ mixed >> 16) * 0x7FEB352D % WORD
        mixed = (mixed ^ mixed >> 15) * 0x846CA68B % WORD
        x = partner if mixed >= WORD // 2 else x
    return x


def xoshiro(state):
    """Return the next word of xoshiro128++ (Blackman & Vigna 2021) and advance its state of four words."""

    def rotated(value, bits):
        return (value << bits | value >> (32 - bits)) % WORD

    word = (rotated((state[0] + state[3]) % WORD, 7) + state[0]) % WORD
    shifted = (state[1] << 9) % WORD
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = rotated(state[3], 11)
    return word


def moments(points):
    """Return count, mean, population covariance and fourth central moments of the finite (particle, coordinate)."""
    finite = points[np.isfinite(points).all(axis=1)]
    centred = finite - finite.mean(axis=0)
    return len(finite), finite.mean(axis=0), centred.T @ centred / len(finite), (centred**4).mean(axis=0)


def first_passage(path, dt, inside, first_step=0):
    """Return the time of the first point of a path (step, coordinate) that lies inside; NaN without one."""
    hits = [step for step, x in enumerate(path) if inside(x)]
    return (first_step + hits[0]) * dt if hits else math.nan


def dual_power(base, exponent):
    """Return value and derivative of a power of two dual numbers; a power of zero counts only the base's slope."""
    (b, db), (e, de) = base, exponent
    value = np.power(b, e)
    slope = e * np.power(b, e - 1) * db if db else 0.0
    return value, slope + (value * np.log(b) * de if de else 0.0)


DUALS = {
    "neg": lambda u: (-u[0], -u[1]),
    "+": lambda *terms: (sum(u[0] for u in terms), sum(u[1] for u in terms)),
    "*": lambda u, v: (u[0] * v[0], u[1] * v[0] + u[0] * v[1]),
    "/": lambda u, v: (u[0] / v[0], (u[1] * v[0] - u[0] * v[1]) / v[0] ** 2),
    "**": dual_power,
    "abs": lambda u: (abs(u[0]), np.sign(u[0]) * u[1]),
    "cos": lambda u: (np.cos(u[0]), -np.sin(u[0]) * u[1]),
    "cosh": lambda u: (np.cosh(u[0]), np.sinh(u[0]) * u[1]),
    "exp": lambda u: (np.exp(u[0]), np.exp(u[0]) * u[1]),
    "log": lambda u: (np.log(u[0]), u[1] / u[0]),
    "sin": lambda u: (np.sin(u[0]), np.cos(u[0]) * u[1]),
    "sinh": lambda u: (np.sinh(u[0]), np.cosh(u[0]) * u[1]),
    "sqrt": lambda u: (np.sqrt(u[0]), 0.5 / np.sqrt(u[0]) * u[1]),
    "tan": lambda u: (np.tan(u[0]), u[1] / np.cos(u[0]) ** 2),
    "tanh": lambda u: (np.tanh(u[0]), u[1] / np.cosh(u[0]) ** 2),
}


def dual(node, point, parameters, coordinate):
    """Return value and derivative of a formula's tree at one point, by dual numbers."""
    kind = type(node).__name__
    if kind == "Number":
        return np.float64(node.value), 0.0
    if kind == "Parameter":
        return np.float64(parameters[node.index]), 0.0
    if kind == "Coordinate":
        return np.float64(point[node.index]), float(node.index == coordinate)
    return DUALS[node.operator](*(dual(argument, point, parameters, coordinate) for argument in node.arguments))


def sample_loss(landscape, x, sample):
    """Return the loss of one sample at one point, from the landscape's data alone."""
    kind = type(landscape).__name__
    a, y = landscape.inputs[sample], landscape.targets[sample]
    if kind == "LeastSquares":
        return (a @ x - y) ** 2 / 2
    if kind == "LogisticRegression":
        return -y * math.log(1 / (1 + math.exp(-a @ x))) - (1 - y) * math.log(1 / (1 + math.exp(a @ x)))
    if kind == "TwoLayerNetwork":
        return (two_layer_prediction(landscape, x, a) - y) ** 2 / 2
    if kind == "DiagonalLinearNetwork":
        u, v = x[: len(a)], x[len(a) :]
        return (sum(a * (u**2 - v**2)) - y) ** 2 / 2
    if kind == "MatrixFactorisation":
        vectors = x.reshape(-1, landscape.rank)
        return (vectors[int(a[0])] @ vectors[landscape.shape[0] + int(a[1])] - y) ** 2 / 2
    return ((a @ x) ** 2 - y) ** 2 / 4


def two_layer_prediction(landscape, x, a):
    """Return the output of the network with its numbers taken off the flat vector one after the other."""
    numbers = list(x)
    hidden = [[numbers.pop(0) for _ in a] for _ in range(landscape.width)]
    offsets = [numbers.pop(0) for _ in hidden]
    outer = [numbers.pop(0) for _ in hidden]
    phi = math.tanh if landscape.activation == "tanh" else lambda value: max(value, 0.0)
    values = [
        phi(sum(w * entry for w, entry in zip(row, a, strict=True)) + c) for row, c in zip(hidden, offsets, strict=True)
    ]
    return sum(b * value for b, value in zip(outer, values, strict=True)) + numbers.pop()


def sample_losses_and_gradients(landscape, points):
    """Return losses (particle, sample) and their central differences (particle, sample, coordinate)."""
    samples, dim, step = landscape.n_samples, points.shape[1], 1e-5
    losses = np.array([[sample_loss(landscape, x, i) for i in range(samples)] for x in points])
    gradients = np.empty((len(points), samples, dim))
    for particle, i, j in np.ndindex(gradients.shape):
        move = step * np.eye(dim)[j]
        ends = [sample_loss(landscape, points[particle] + sign * move, i) for sign in (1, -1)]
        gradients[particle, i, j] = (ends[0] - ends[1]) / (2 * step)
    return losses, gradients
