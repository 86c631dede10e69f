"""The two-objective toy of the literature: two functions of a point in the plane with a known minimum and Pareto front.

From CAGrad (Liu, Liu, Jin, Stone & Liu, NeurIPS 2021). Nash-MTL (Navon et al., ICML 2022) and FAMO (Liu, Feng, Stone
and Liu, NeurIPS 2023) multiply the first function by 0.1. The functions work with torch and with numpy. Neither is
imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COORDINATES = 2
FLOOR = 5e-6  # lower bound of the argument of the logarithm
MINIMUM = (0.0, -8.3551098)  # of the sum of both functions at scale 1; the value is -30.1832769
# the range of x1 of the Pareto front; its x2 lies between -8.44 and -8.35, whatever the scales
FRONT_X1 = (-7.0, 7.0)


@dataclass(frozen=True)
class Objective:
    """The function L = c₁ f + c₂ g of a point (x₁, x₂).

    t = tanh(−x₂), h = tanh(x₂/2), c₁ = max(h, 0), c₂ = max(−h, 0)
    f = log max(|½(a − x₁) + b t + d|, 5·10⁻⁶) + 6
    g = ((e − x₁)² + 0.1 (x₂ + 8)²)/10 − 20
    """

    a: float
    b: float
    d: float
    e: float


OBJECTIVES = {
    "cagrad_1": Objective(a=-7.0, b=-1.0, d=0.0, e=7.0),
    "cagrad_2": Objective(a=3.0, b=1.0, d=2.0, e=-7.0),
}


def constants(names: Sequence[str]) -> list[list[float]]:
    """Three lists: ½a + d, b and e of the named objectives."""
    own = [OBJECTIVES[name] for name in names]
    return [[o.a / 2 + o.d for o in own], [o.b for o in own], [o.e for o in own]]


def values(of: Any, x1: Any, x2: Any, xp: Any) -> Any:
    """The values `[..., T]` of T functions at points.

    of: the array `[3, T]` of `constants`. x1, x2: `[..., 1]`. xp: the module torch or numpy.
    """
    return values_and_slopes(of, x1, x2, xp)[0]


def values_and_slopes(of: Any, x1: Any, x2: Any, xp: Any) -> tuple[Any, Any, Any]:
    """The values and their derivatives with respect to x₁ and x₂, `[..., T]` each. Arguments as in `values`.

    Where both arguments of a maximum are equal, the derivative is that of the argument that depends on x, as in torch's
    clamp. At x₂ = 0, which is one of the published starts, this is the case for both c₁ and c₂.
    """
    shift, b, e = of
    t, h = xp.tanh(-x2), xp.tanh(0.5 * x2)
    c1 = 0.5 * (h + abs(h))  # max(h, 0); this form is fast in numpy too
    c2 = c1 - h
    bend = 0.5 - 0.5 * h * h
    u = b * t + (shift - 0.5 * x1)
    free = abs(u) >= FLOOR
    held = xp.where(free, u, FLOOR)
    f = xp.log(abs(held)) + 6.0
    left, up = e - x1, x2 + 8.0
    g = 0.1 * left * left + (0.01 * up * up - 20.0)
    slope = c1 * free / held  # derivative of c1 f with respect to u
    by_x1 = -0.5 * slope - 0.2 * c2 * left
    by_x2 = slope * b * (t * t - 1.0) + 0.02 * c2 * up + bend * ((h >= 0) * f - (h <= 0) * g)
    return c1 * f + c2 * g, by_x1, by_x2
