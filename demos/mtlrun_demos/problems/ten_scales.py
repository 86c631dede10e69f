"""The synthetic problem of GradNorm."""

import numpy as np


def gradnorm() -> dict[str, np.ndarray]:
    """Ten regressions `t00`..`t09` on 250 inputs `x000`..`x249`; their scales differ by up to 100; 16,000 rows.

        y_i = σ_i tanh((b + e_i)·x)      b ~ N(0, 10), e_i ~ N(0, 3.5), x ~ N(0, 1/250), in each of 250 elements
        σ_i = 100^(i/9)                  1, 1.7, 2.8, 4.6, 7.7, 12.9, 21.5, 35.9, 59.9, 100

    The synthetic problem of GradNorm (Chen et al., ICML 2018, section 4). All tasks share b, and each has a separate
    direction e_i. Squared errors differ by up to 10⁴. N(0, 10) is read as a variance of 10.

    Changed from the paper: one output per task instead of 100. The paper shows its ten σ only in a figure; here they
    are equally spaced on a logarithmic scale. The paper does not give the distribution of x; with a variance of 1/250
    the argument of tanh has variance 13.5, so that tanh is clearly nonlinear but not just a sign.
    """
    random = np.random.default_rng(0)
    rows, inputs, tasks = 16_000, 250, 10
    x = random.normal(size=(rows, inputs)) / np.sqrt(inputs)
    b = np.sqrt(10) * random.normal(size=inputs)
    e = np.sqrt(3.5) * random.normal(size=(inputs, tasks))
    y = 100 ** (np.arange(tasks) / (tasks - 1)) * np.tanh(x @ (b[:, None] + e))
    return {f"x{j:03d}": x[:, j] for j in range(inputs)} | {f"t{i:02d}": y[:, i] for i in range(tasks)}
