import numpy as np
import pytest

from sgdphys import schedules
from sgdphys.fokker_planck.kinks import kinks_between


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (schedules.Steps([0, 1, 2.5, 5], [1, 2, 3, 4]), [1, 2.5]),
        (schedules.as_schedule("temperature", schedules.Steps([0, 1], [1, 2])), [1]),
        (schedules.Linear(1.0, 2.0, 0.5, 9.0), [0.5]),
        (schedules.Exponential(1.0, 2.0, 0.5, 2.0), [0.5, 2.0]),
        (schedules.Cyclic(0.1, 0.2, 1.0, "square"), [0.5, 1.0, 1.5, 2.0, 2.5]),
        (schedules.Constant(0.1), []),
        (np.sin, []),
    ],
)
def test_jumps_and_bends_are_told(schedule, expected):
    np.testing.assert_allclose(kinks_between(schedule, 0.0, 3.0), expected)
