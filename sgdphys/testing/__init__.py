"""Checks of landscapes, noises and integrators, ours or from outside the package; only tests import it."""

from sgdphys.testing.integrator_checks import check_integrator
from sgdphys.testing.landscape_checks import check_landscape
from sgdphys.testing.noise_checks import check_noise

__all__ = ["check_integrator", "check_landscape", "check_noise"]
