"""Checks of landscapes, noises and integrators, ours or from outside the package; only tests import it."""
