"""A problem for transfer: the value of a trained trunk for a new task."""

import numpy as np

OLD = 6  # tasks that are known before the new one


def transfer() -> dict[str, np.ndarray]:
    """Seven regressions, `old1`..`old6` and `new`, on 20 inputs `x00`..`x19`; 60,000 rows.

        z ~ N(0, 1)³                           the hidden numbers of a row
        x = tanh(W z) + 0.2 ε                  W [20, 3] ~ N(0, 1/3)
        h = whitened tanh(2 U z + c)           U [4, 3] ~ N(0, 1/3), c ~ N(0, 1): four features of unit variance
        old_i = u_i·h + 0.3 ε,  new = v·h + 0.3 ε      u_i, v ~ N(0, 1)⁴ scaled to length 1

    The setting of Baxter (2000, A Model of Inductive Bias Learning): tasks that are linear in the same few features of
    the inputs. Six tasks share four unknown features, so a trunk that has learnt the six has found the features. A
    seventh task then needs only a few labels. These labels alone would be too few for 20 noisy inputs.

    The table is a pool from which every seed draws 1,200 training, 600 val and 3,000 test rows. Random numbers come
    from generator seed 0. docs/evidence.md has the figures of an experiment.
    """
    random = np.random.default_rng(0)
    rows, inputs, hidden, features = 60_000, 20, 3, 4
    z = random.normal(size=(rows, hidden))
    x = np.tanh(z @ random.normal(size=(hidden, inputs)) / np.sqrt(hidden)) + 0.2 * random.normal(size=(rows, inputs))
    h = np.tanh(2 * z @ random.normal(size=(hidden, features)) / np.sqrt(hidden) + random.normal(size=features))
    h = (h - h.mean(0)) @ np.linalg.cholesky(np.linalg.inv(np.cov(h.T)))
    directions = random.normal(size=(features, OLD + 1))
    targets = h @ (directions / np.linalg.norm(directions, axis=0)) + 0.3 * random.normal(size=(rows, OLD + 1))
    table = {f"x{j:02d}": x[:, j] for j in range(inputs)}
    return table | {f"old{i + 1}": targets[:, i] for i in range(OLD)} | {"new": targets[:, OLD]}
