"""Whether a figure that is computed again is the recorded one."""

import numpy as np

from mtlrun.tasks import higher_is_better

TOLERANCE = 2e-3  # largest difference from the recorded figure: other hardware, sums in float32


def reproduced(metric: str, value: float, recorded: float) -> bool:
    """Whether a figure is the recorded one, up to the rounding of other hardware and of sums in float32."""
    return bool(np.isclose(value, recorded, rtol=TOLERANCE, atol=TOLERANCE if higher_is_better(metric) else 0))
