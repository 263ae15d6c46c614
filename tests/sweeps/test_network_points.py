"""The error of the mean variance ratio: replicas are independent, frames of one replica are not."""

from types import SimpleNamespace

import numpy as np
import xarray as xr

from sgdphys.sweeps.network_points import _ratio


def test_frames_of_one_replica_do_not_shrink_the_error():
    generator = np.random.default_rng(0)
    replicas, directions, frames, clouds = 12, 5, 6, 2000
    settings = SimpleNamespace(late=slice(0, frames))
    prediction = SimpleNamespace(variances=np.ones((frames, directions)))
    ratios, errors = [], []
    for _ in range(clouds):
        points = np.repeat(generator.normal(size=(1, replicas, directions)), frames, axis=0)  # frames all alike
        cloud = xr.Dataset({"position": (("time", "particle", "coordinate"), points)})
        ratio, error = _ratio(cloud, prediction, settings)
        ratios.append(ratio)
        errors.append(error)
    scatter = float(np.std(ratios, ddof=1))
    # unbiased with the factor n/(n-1), without which the mean would be 1 - 1/12, 15 standard errors off
    assert abs(np.mean(ratios) - 1) < 4 * scatter / clouds**0.5
    # frames taken for independent would give 1/sqrt(6) = .41
    assert 0.85 < np.sqrt(np.mean(np.square(errors))) / scatter < 1.15
