"""Checks of landscapes, noises and integrators, ours or from outside the package; only tests import it."""

from sgdphys.testing.integrator_checks import assert_order, check_integrator

__all__ = ["assert_order", "check_integrator"]
