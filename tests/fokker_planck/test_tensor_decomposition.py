import numpy as np
import pytest

from sgdphys.fokker_planck.tensor_decomposition import hops_of_tensors


def random_tensors(dim, count, spread, seed):
    generator = np.random.default_rng(seed)
    frames = np.linalg.qr(generator.normal(size=(count, dim, dim)))[0]
    values = 10.0 ** generator.uniform(-spread, 0, size=(count, dim))
    return (frames * values[:, None, :]) @ frames.transpose(0, 2, 1)


@pytest.mark.parametrize(("dim", "spread"), [(2, 0.5), (2, 3.0), (2, 6.0), (3, 0.5), (3, 3.0)])
def test_hops_make_up_the_tensor_with_positive_weights(dim, spread):
    tensors = random_tensors(dim, 200, spread, seed=dim)
    tensors = (tensors + tensors.transpose(0, 2, 1)) / 2
    hops, weights = hops_of_tensors(tensors)
    assert weights.min() >= 0
    rebuilt = np.einsum("hc,hi,hj->cij", weights, hops, hops)
    np.testing.assert_allclose(rebuilt, tensors, rtol=0, atol=1e-12 * hops.max() ** 2)
    assert len(np.unique(hops, axis=0)) == len(hops)
    used = (weights > 0).sum(axis=0)
    assert used.max() <= {2: 3, 3: 6}[dim]


def test_diagonal_tensors_hop_along_the_axes_in_any_dimension():
    hops, weights = hops_of_tensors(np.diag([1.0, 2.0, 3.0, 4.0])[None])
    np.testing.assert_array_equal(hops, np.eye(4))
    np.testing.assert_array_equal(weights[:, 0], [1, 2, 3, 4])


def test_the_reach_grows_with_the_anisotropy():
    # noise along a direction of slope 1/3 with a width 1e-6: no shorter hop than (3, 1) does it
    along = np.array([3.0, 1.0]) / np.sqrt(10)
    hops, weights = hops_of_tensors((np.outer(along, along) + 1e-6 * np.eye(2))[None])
    assert np.array_equal(hops[weights[:, 0].argmax()], [3, 1])
    assert weights[:, 0].max() == pytest.approx(0.1, rel=1e-4)


def test_four_coordinates_are_refused_unless_diagonal():
    with pytest.raises(ValueError, match="needs 2 or 3 coordinates on a grid, got 4"):
        hops_of_tensors((np.eye(4) + 0.1)[None])
