"""Steps at which all parameters are kept: equally spaced in the logarithm, so that they stay few.

They are a function of the step alone, so that a run that goes on keeps the anchors of the run without the break.
"""

from __future__ import annotations

import math

__all__ = ["is_anchor"]


def is_anchor(step: int, per_decade: int) -> bool:
    """Return whether a step is 0 or the nearest whole number to a power of 10^(1/per_decade); never with 0 a decade."""
    if per_decade == 0:
        return False
    if step < 1:
        return step == 0
    power = per_decade * math.log10(step)
    return any(round(10 ** (near / per_decade)) == step for near in range(math.floor(power) - 1, math.ceil(power) + 2))
