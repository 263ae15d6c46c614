"""The check of a noise passes ours and names what is wrong with others."""

import numpy as np
import pytest

from sgdphys.kernels import BlockTerm, KickKernel
from sgdphys.landscapes import Expression
from sgdphys.noises import Formula, Full, Isotropic
from sgdphys.testing import check_noise

POINTS = np.array([[0.3, -0.8], [1.2, 0.5]])
MATRIX = np.array([[1.0, 0.4], [0.4, 0.5]])


def quadratic_kick(normals, x, parameters, factor, work, base, out):
    for row in range(out.shape[0]):
        for lane in range(out.shape[1]):
            out[row, lane] = base[row, lane] + factor * normals[row, lane] * (1.5 - 0.5 * normals[row, lane])


class NonlinearKick(Isotropic):
    def kick_term(self, dim):
        return BlockTerm(KickKernel(quadratic_kick))


class WrongRoot(Full):
    """A factor whose square is not D."""

    @property
    def factor(self):
        return super().factor.T


class WrongAmplitude(Isotropic):
    def amplitude(self, temperature, dt):
        return np.sqrt(temperature * dt)


class Skew(Isotropic):
    def diffusion(self, x):
        return np.broadcast_to([[1.0, 0.1], [0.0, 1.0]], (len(x), 2, 2))


class SaysConstant(Formula):
    additive = True


class SaysIto(Formula):
    """Divergence of another D."""

    def divergence_terms(self, dim):
        return tuple(term.scaled(0.5) for term in super().divergence_terms(dim))


WRONG = {
    "not base": NonlinearKick(1.0),
    "B B\\^T off D": WrongRoot(MATRIX),
    "not the covariance": WrongAmplitude(1.0),
    "not symmetric": Skew(1.0),
    "additive is True": SaysConstant("1 + x**2"),
    "not the derivative of D": SaysIto("1 + x**2 + y**2"),
}


@pytest.mark.parametrize(
    "noise",
    [Full(MATRIX), Formula(["1 + x**2", "2 + sin(x*y)"], interpretation="stratonovich"), Formula("1 + x**2/2")],
    ids=["full", "diagonal", "scalar"],
)
def test_ours_pass(noise):
    check_noise(noise, POINTS)
    check_noise(noise, POINTS, landscape=Expression("x**4 + x*y + y**2"), n_particles=20_000)


@pytest.mark.parametrize("message", WRONG)
def test_wrong_ones_are_told_apart(message):
    with pytest.raises(AssertionError, match=message):
        check_noise(WRONG[message], POINTS)


def test_what_is_no_noise_is_told():
    with pytest.raises(AssertionError, match="lacks members"):
        check_noise(object(), POINTS)
