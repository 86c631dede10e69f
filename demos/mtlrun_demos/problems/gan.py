"""A generator and a discriminator."""

import numpy as np


def gan() -> dict[str, np.ndarray]:
    """Numbers `x` from N(4, 0.5²) to be imitated from noise `z0`..`z3`; 40,000 rows, of which every other is real.

        z ~ N(0, 1)⁴                         in every row
        x ~ N(4, 0.5²)                       in real rows, missing in the others, and independent of z
        real = 1 or 0, imagined = 1 − real

    For an adversarial pair (Goodfellow et al., NeurIPS 2014): `x` is the generator's target, which it never learns
    from; a discriminator sees x in real rows and the generator's estimate in the others, and learns `real`; the
    generator learns `imagined` through the discriminator, the labels exchanged (their non-saturating loss).
    """
    random = np.random.default_rng(0)
    rows = 40_000
    real = np.arange(rows) % 2
    table = {f"z{j}": random.normal(size=rows) for j in range(4)}
    table["x"] = np.where(real == 1, 4 + 0.5 * random.normal(size=rows), np.nan)
    return table | {"real": real.astype(float), "imagined": 1.0 - real}
