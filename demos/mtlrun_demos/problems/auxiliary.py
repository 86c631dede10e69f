"""Problems that each show what one kind of auxiliary task does (evidence/auxiliary.py; docs/auxiliary.md).

All are pools from which every seed draws its own rows, so that seeds share few rows and are close to independent.
Numbers come from fixed generators; ε are independent standard normal draws. Sizes that a source does not give, and the
settings of the experiments, were chosen on seeds from 100 on; the experiments train seeds from 0.
"""

import numpy as np

ROWS = 50_000
Table = dict[str, np.ndarray]


def hints() -> Table:
    """A parity of four of 30 signs, `main`; 50,000 rows.

        x ∈ {−1, 1}³⁰ uniform         main = [x₀x₁x₂x₃ > 0]

    No input, and no pair or triple of them, tells anything about `main`. conf/data/hints.yaml declares the parities of
    its halves, x₀x₁ and x₂x₃, as auxiliary tasks: hints in the sense of Abu-Mostafa (1990), which a net cannot be given
    but learns to know (Caruana 1997, 3.2.3, calls it eavesdropping).
    """
    random = np.random.default_rng(0)
    x = 2.0 * random.integers(0, 2, size=(ROWS, 30)) - 1
    return _inputs(x) | {"main": _bit(x[:, 0] * x[:, 1] * x[:, 2] * x[:, 3])}


def focusing() -> Table:
    """Four regressions `a`..`d` on the same 3 of 30 inputs; 50,000 rows.

        x ~ N(0, 1)³⁰        h = tanh(1.5 U z), z = x₀..x₂, U [3, 6] ~ N(0, 1/3)
        y_t = v_t·h + 0.5 ε  v_t ~ N(0, 1)⁶ of length 1.5

    Inputs x₃..x₂₉ are irrelevant. With few rows and noise they seem to matter to any one task, and not to all of them
    alike: the others tell which inputs to attend to (Caruana 1997, 3.2.2). Three quarters of the variance of `a` are
    noise.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 30))
    h = np.tanh(1.5 * x[:, :3] @ random.normal(size=(3, 6)) / np.sqrt(3))
    v = random.normal(size=(6, 4))
    y = h @ (1.5 * v / np.linalg.norm(v, axis=0)) + 0.5 * random.normal(size=(ROWS, 4))
    return _inputs(x) | dict(zip("abcd", y.T, strict=True))


def quantised() -> Table:
    """A label that is a coarse reading of a number, `high`, and a fine reading of it, `level`; 50,000 rows.

        x ~ N(0, 1)²⁰, r = w·x, w of length 1         high = [r + 0.5 ε > 1.2], level = r + 0.5 ε′

    Quantisation smoothing (Caruana 1997, 4.8): the threshold throws away how far a row is from it; another reading of
    the same number, with noise of its own, still has it. `high` is 1 in 14 % of the rows.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 20))
    w = random.normal(size=20)
    r = x @ (w / np.linalg.norm(w))
    high = (r + 0.5 * random.normal(size=ROWS) > 1.2).astype(float)
    return _inputs(x) | {"high": high, "level": r + 0.5 * random.normal(size=ROWS)}


def future() -> Table:
    """An outcome `y`, and a measurement `later` that is known only once it is too late to predict; 50,000 rows.

        x ~ N(0, 1)²⁰        s = tanh(1.5 U x), U [3, 20] ~ N(0, 1/20)     what the inputs say of the course
        later = s₁ + 0.2 ε, y = s₁ + 0.3 s₂ + 0.8 ε

    The future as an auxiliary task (Caruana 1997, 4.9): `later` cannot be an input, as nobody has it when y is asked
    for, but past rows have it. It has the same source as y, with less noise. Figures speak of y alone.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 20))
    s = np.tanh(x @ random.normal(size=(20, 3)) * 1.5 / np.sqrt(20))
    later = s[:, 0] + 0.2 * random.normal(size=ROWS)
    return _inputs(x) | {"later": later, "y": s[:, 0] + 0.3 * s[:, 1] + 0.8 * random.normal(size=ROWS)}


def augmentation() -> Table:
    """Sixteen regressions `t00`..`t15` on one direction of 20 inputs; 50,000 rows.

        x ~ N(0, 1)²⁰, w of length 1         t_i = tanh(w·x) + ε_i

    Implicit data augmentation (Caruana 1997, 3.2.1): tasks that share a feature and have noise of their own average
    over that noise. The model is a trunk of one tanh unit, whose weights are the shared direction.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 20))
    w = random.normal(size=20)
    signal = np.tanh(x @ (w / np.linalg.norm(w)))
    return _inputs(x) | {f"t{i:02d}": signal + random.normal(size=ROWS) for i in range(16)}


def shared_features() -> Table:
    """Eight regressions `t0`..`t7` on the same three nonlinear features of 20 inputs; 50,000 rows.

        x ~ N(0, 1)²⁰, h = tanh(2 U x), U [3, 20] ~ N(0, 1/20)         t_i = v_i·h + 0.6 ε_i, v_i of length 1

    As `augmentation`, for a net: every task is another combination of the features, so that none can stand for another.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 20))
    h = np.tanh(2 * x @ random.normal(size=(20, 3)) / np.sqrt(20))
    v = random.normal(size=(3, 8))
    y = h @ (v / np.linalg.norm(v, axis=0)) + 0.6 * random.normal(size=(ROWS, 8))
    return _inputs(x) | {f"t{i}": y[:, i] for i in range(8)}


def random_labels() -> Table:
    """A regression `y` on 20 inputs, and four columns `r0`..`r3` that have nothing to do with them; 50,000 rows.

        x ~ N(0, 1)²⁰, y = tanh(2 u·x) + 0.5 ε, u of length 1, r_i = ε_i

    Random labels as auxiliary tasks take capacity away: a regulariser, and no transfer.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 20))
    u = random.normal(size=20)
    y = np.tanh(2 * x @ (u / np.linalg.norm(u))) + 0.5 * random.normal(size=ROWS)
    return _inputs(x) | {"y": y} | {f"r{i}": random.normal(size=ROWS) for i in range(4)}


def views() -> Table:
    """A regression `y` on two hidden numbers, of which the 12 inputs are noisy views; 50,000 rows.

        z ~ N(0, 1)², x = W z + ε, W [12, 2] ~ N(0, 1)             y = tanh(1.5 z₁) + sin(1.5 z₂) + 0.3 ε

    Few rows have a label of y (train_labels), all have inputs: a trunk that predicts these has found the two numbers.
    """
    random = np.random.default_rng(0)
    z = random.normal(size=(ROWS, 2))
    x = z @ random.normal(size=(2, 12)) + random.normal(size=(ROWS, 12))
    return _inputs(x) | {"y": np.tanh(1.5 * z[:, 0]) + np.sin(1.5 * z[:, 1]) + 0.3 * random.normal(size=ROWS)}


def _domains(seed: int, source: np.ndarray, labelled: np.ndarray) -> Table:
    """Rows of a source (1) and a target (0) domain; `labelled`: whether a label of y counts."""
    fixed, random = np.random.default_rng(0), np.random.default_rng(seed)
    rows = len(source)
    y = random.integers(0, 2, size=rows)
    sign = 2.0 * y - 1
    lasting = 0.6 * sign[:, None] + random.normal(size=(rows, 4))
    own = np.where(source[:, None] == 1, 0.8 * sign[:, None] + 0.25, -0.25) + random.normal(size=(rows, 4))
    mixing = np.linalg.qr(fixed.normal(size=(8, 8)))[0]
    x = np.column_stack([lasting, own]) @ mixing
    return _inputs(x) | {"y": y.astype(float), "source": source, "labelled": labelled}


def domains() -> Table:
    """Training rows of two domains, half of them each; `labelled` is 1 where the label of `y` counts; 20,000 rows.

        y uniform on {0, 1}, s = 2y − 1; four numbers 0.6 s + ε in both domains; four that are 0.8 s + 0.25 + ε in the
        source and −0.25 + ε in the target; x: all eight, rotated

    What serves best in the source is of no use in the target and shifts between them: a trunk that an adversary cannot
    tell domains by has to do without it (Ganin & Lempitsky 2015). `domains_source` and `domains_target` are val and
    test: only source rows have labels until the end. The best that can be done in the target is 88 %.
    """
    source = np.random.default_rng(10).integers(0, 2, size=20_000).astype(float)
    return _domains(11, source, source)


def domains_source() -> Table:
    """4,000 labelled rows of the source domain of `domains`."""
    return _domains(12, np.ones(4_000), np.ones(4_000))


def domains_target() -> Table:
    """10,000 labelled rows of the target domain of `domains`."""
    return _domains(13, np.zeros(10_000), np.ones(10_000))


def _inputs(x: np.ndarray) -> Table:
    return {f"x{j:02d}": x[:, j] for j in range(x.shape[1])}


def _bit(signs: np.ndarray) -> np.ndarray:
    """1 for positive signs, 0 for negative ones."""
    return (signs > 0).astype(float)
