"""A landscape and noises in three coordinates whose Hessian and diffusion do not commute."""

import numpy as np
import pytest

from sgdphys.noises import Diagonal, Full, Isotropic, LowRank

TURN = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))[0]
HESSIAN = TURN @ np.diag([2.0, 1.0, 0.5]) @ TURN.T
HESSIAN = (HESSIAN + HESSIAN.T) / 2
FACTOR = np.array([[1.0, 0.0], [0.5, 1.0], [0.0, -0.5]])


@pytest.fixture
def hessian():
    return HESSIAN


@pytest.fixture(params=["isotropic", "diagonal", "full", "low rank"])
def noise(request):
    return {
        "isotropic": Isotropic(0.7),
        "diagonal": Diagonal([1.0, 0.25, 2.0]),
        "full": Full([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.5]]),
        "low rank": LowRank(FACTOR),
    }[request.param]


@pytest.fixture
def diffusion(noise):
    return noise.diffusion(np.zeros((1, 3)))[0]


@pytest.fixture
def covariance_error():
    """Return the standard errors of the entries of a sample covariance."""

    def error(covariance, n):
        return np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / n)

    return error
