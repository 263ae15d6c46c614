import numpy as np
import pytest
import xarray as xr

from sgdphys import landscapes
from sgdphys.analysis import flatness


def test_a_parabola():
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])
    result = flatness(landscapes.Quadratic(matrix))
    values = np.linalg.eigvalsh(matrix)
    assert result["trace"].item() == pytest.approx(3.0)
    assert result["largest_eigenvalue"].item() == pytest.approx(values[1])
    assert result["smallest_eigenvalue"].item() == pytest.approx(values[0])
    assert result["log_determinant"].item() == pytest.approx(np.log(1.75))
    assert result["left_out"].item() == 0


def test_the_known_minima_of_a_landscape_are_the_default():
    result = flatness(landscapes.DoubleWell())
    assert result["location"].values.ravel().tolist() == pytest.approx([-1.0, 1.0])
    np.testing.assert_allclose(result["trace"], 2.0)


def test_flat_and_falling_directions_are_left_out_and_counted():
    landscape = landscapes.Quadratic(np.diag([3.0, 1e-3, 0.0, -2.0]))
    result = flatness(landscape, np.zeros(4))
    assert result["left_out"].item() == 2 and result["log_determinant"].item() == pytest.approx(np.log(3e-3))
    strict = flatness(landscape, np.zeros(4), threshold=0.01)
    assert strict["left_out"].item() == 3 and strict["log_determinant"].item() == pytest.approx(np.log(3.0))


def test_replicas_of_a_cloud_without_the_lost_ones():
    position = np.array([[[-1.0], [0.0], [np.nan]], [[1.0], [0.5], [np.nan]]])
    cloud = xr.Dataset({"position": (("time", "particle", "coordinate"), position)}, coords={"time": [0.0, 1.0]})
    result = flatness(landscapes.DoubleWell(), cloud)
    np.testing.assert_allclose(result["trace"], [2.0, 3 * 0.25 - 1])
    assert result["left_out"].values.tolist() == [0, 1]


class Bowl:
    """A landscape of three parameters with its Hessian alone, as a network has it."""

    dim = 3
    parameters = np.array([1.0, 0.0, 2.0])

    def hessian(self, x):
        """Return diag(1, 2, x_3)."""
        return np.array([np.diag([1.0, 2.0, point[2]]) for point in x])


def test_a_network_is_measured_at_its_parameters():
    assert flatness(Bowl())["trace"].item() == 5.0


def test_a_cloud_in_reduced_coordinates_is_mapped_to_parameters():
    cloud = xr.Dataset(
        {
            "position": (("time", "particle", "coordinate"), [[[0.5], [1.0]]]),
            "origin": ("parameter", [0.0, 0.0, 4.0]),
            "basis": (("parameter", "coordinate"), [[0.0], [0.0], [1.0]]),
        },
        coords={"time": [0.0]},
    )
    np.testing.assert_allclose(flatness(Bowl(), cloud)["trace"], [7.5, 8.0])


@pytest.mark.parametrize(
    ("landscape", "at", "message"),
    [
        (object(), None, r"object has no hessian\(x\)"),
        (landscapes.Quadratic(np.diag([1.0, -1.0])), None, "Quadratic knows no minimum; give the points at="),
        (landscapes.DoubleWell(), np.zeros((2, 3)), r"shape \(point, 1\), at least one, got shape \(2, 3\)"),
        (landscapes.DoubleWell(), [[np.nan]], "finite points"),
    ],
)
def test_what_cannot_be_measured_is_refused(landscape, at, message):
    with pytest.raises(ValueError, match=message):
        flatness(landscape, at)
