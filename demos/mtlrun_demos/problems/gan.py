"""A problem for a generator and a discriminator."""

import numpy as np


def gan() -> dict[str, np.ndarray]:
    """Numbers `x` from N(4, 0.5²) to be imitated from noise `z0`..`z3`; 40,000 rows, every second one real.

        z ~ N(0, 1)⁴                         in every row
        x ~ N(4, 0.5²)                       in real rows, independent of z; missing in other rows
        real = 1 or 0, imagined = 1 − real

    For an adversarial pair (Goodfellow et al., NeurIPS 2014). `x` is the target of the generator, which never learns
    from it. The discriminator sees x in real rows and the estimate of the generator in the others, and learns `real`.
    The generator learns `imagined`, the exchanged labels, through the discriminator (the non-saturating loss).
    """
    random = np.random.default_rng(0)
    rows = 40_000
    real = np.arange(rows) % 2
    table = {f"z{j}": random.normal(size=rows) for j in range(4)}
    table["x"] = np.where(real == 1, 4 + 0.5 * random.normal(size=rows), np.nan)
    return table | {"real": real.astype(float), "imagined": 1.0 - real}
