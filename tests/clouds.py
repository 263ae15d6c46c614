"""Clouds made of arrays, for the tests of analyses."""

from __future__ import annotations

import numpy as np
import xarray as xr


def cloud_of(*frames, times=None):
    """Return a cloud of frames of shape (particle,) or (particle, coordinate)."""
    position = np.array([frame.reshape(len(frame), -1) for frame in frames])
    times = np.arange(len(frames), dtype=float) if times is None else times
    return xr.Dataset({"position": (("time", "particle", "coordinate"), position)}, {"time": times})
