"""Landscapes and noises that stand for a network and can be simulated."""
