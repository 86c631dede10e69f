"""Two groups of tasks that are unrelated to each other."""

import numpy as np


def two_groups() -> dict[str, np.ndarray]:
    """Six regressions `a0`..`a2`, `b0`..`b2` on 16 inputs `x00`..`x15`; 3,000 rows.

        y_gt = (0.9 u_g + √0.19 v_gt)·tanh(A_g x) + 0.1 ε
        x, ε ~ N(0, 1), A_g of 6 × 16 from N(0, 1/4), u_g, v_g0, v_g1 and v_g2 orthonormal

    The three tasks of a group g read the same six features with weights of cosine 0.81. The groups share no feature.
    Tasks of a given relatedness are made as in Ma et al. (KDD 2018, section 3.2).
    """
    random = np.random.default_rng(0)
    rows, inputs, features, tasks = 3_000, 16, 6, 3
    x = random.normal(size=(rows, inputs))
    columns = {f"x{j:02d}": x[:, j] for j in range(inputs)}
    for group in "ab":
        hidden = np.tanh(x @ (0.5 * random.normal(size=(inputs, features))))
        directions = np.linalg.qr(random.normal(size=(features, tasks + 1)))[0]
        y = hidden @ (0.9 * directions[:, :1] + np.sqrt(0.19) * directions[:, 1:])
        y += 0.1 * random.normal(size=y.shape)
        columns |= {f"{group}{t}": y[:, t] for t in range(tasks)}
    return columns
