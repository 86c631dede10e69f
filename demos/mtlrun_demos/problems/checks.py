"""Small problems with known answers, for docs/evidence.md."""

import numpy as np


def noise() -> dict[str, np.ndarray]:
    """Two linear regressions on one input, whose noise differs by a factor of ten; 10,000 rows.

        y1 = 2 x + 8 + 10 ε,  y2 = 3 x + 3 + ε        x, ε ~ N(0, 1)

    The toy of the well-known notebooks on Kendall, Gal and Cipolla (CVPR 2018), which train on 100 rows. The learnt
    noise must agree with √MSE on these rows, not with 10 and 1.
    """
    random = np.random.default_rng(0)
    x, e1, e2 = random.normal(size=(3, 10_000))
    return {"x": x, "y1": 2 * x + 8 + 10 * e1, "y2": 3 * x + 3 + e2}


def flips() -> dict[str, np.ndarray]:
    """Two binary labels that are wrong in a share of the rows; 60,000 rows.

        a = [x1 x2 > 0], flipped with p = 0.2;  b = [x3 x4 > 0], flipped with p = 0.1        x = ±1, each as likely

    There are only sixteen different inputs, so a net learns p up to the sampling error. Its cross-entropy is then the
    entropy H(p) = −p log p − (1−p) log (1−p): 0.5004 and 0.3251.
    """
    random = np.random.default_rng(0)
    rows = 60_000
    x = random.choice([-1.0, 1.0], size=(rows, 4))
    a = (x[:, 0] * x[:, 1] > 0) ^ (random.random(rows) < 0.2)
    b = (x[:, 2] * x[:, 3] > 0) ^ (random.random(rows) < 0.1)
    return {f"x{j + 1}": x[:, j] for j in range(4)} | {"a": a.astype(float), "b": b.astype(float)}


def bowls() -> dict[str, np.ndarray]:
    """Two targets `a` and `b` of 1 ± 0.001 on a constant input; 600 rows.

    A net without hidden layers learns only its biases. With weights ½ and 50 the loss is ½(a − 1)² + 50(b − 1)²: two
    bowls with curvatures 1 and 100. The ± 0.001 is needed because a target has to vary.
    """
    ones = np.ones(600)
    sign = np.tile([1.0, -1.0], 300)
    return {"x": ones, "a": ones + 0.001 * sign, "b": ones - 0.001 * sign}


def family() -> dict[str, np.ndarray]:
    """Four regressions on 20 inputs `x00`..`x19`: `a`, `b` and `c` are related, `d` is not; 20,000 rows.

        r = tanh(2 w·x), q = tanh(2 v·x)        w, v of length 1, on x00..x04 alone
        a = r + 0.4 q + 0.7 ε,  b = r − 0.4 q + 0.7 ε,  c = r + 0.7 ε
        d = tanh(2 u·x) + 0.7 ε                 u of length 1, on x05..x09 alone

    Each task has independent noise. With a few hundred training rows, `a`, `b` and `c` therefore help each other: they
    are three noisy views of nearly the same function. `d` does not help them. No task uses x10..x19.
    """
    random = np.random.default_rng(0)
    rows = 20_000
    x = random.normal(size=(rows, 20))
    w, v, u = (row / np.linalg.norm(row) for row in random.normal(size=(3, 5)))
    r, q, other = np.tanh(2 * x[:, :5] @ w), np.tanh(2 * x[:, :5] @ v), np.tanh(2 * x[:, 5:10] @ u)
    e = 0.7 * random.normal(size=(4, rows))
    tasks = {"a": r + 0.4 * q + e[0], "b": r - 0.4 * q + e[1], "c": r + e[2], "d": other + e[3]}
    return {f"x{j:02d}": x[:, j] for j in range(20)} | tasks
