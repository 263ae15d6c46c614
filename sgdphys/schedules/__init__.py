"""Quantities that change during a run: temperatures and protocols in time, learning rate and batch size over steps."""

from sgdphys.schedules.conversion import CheckedSchedule, Schedule, as_schedule
from sgdphys.schedules.curves import Constant, Cosine, Cyclic, Exponential, Linear, Steps
from sgdphys.schedules.stages import SGDSchedule

__all__ = [
    "CheckedSchedule", "Constant", "Cosine", "Cyclic", "Exponential", "Linear", "SGDSchedule", "Schedule", "Steps",
    "as_schedule",
]  # fmt: skip
