"""Problems that each show the effect of one kind of auxiliary task (evidence/auxiliary.py; docs/auxiliary.md).

Each table is a pool from which every seed draws rows. Seeds share few rows, so they are nearly independent. Random
numbers come from fixed generators; ε are independent standard normal draws. Sizes that a source does not give, and the
settings of the experiments, were chosen with seeds from 100 on. The experiments use seeds from 0 on.
"""

import numpy as np

ROWS = 50_000
Table = dict[str, np.ndarray]


def hints() -> Table:
    """A parity of four of 30 signs, `main`; 50,000 rows.

        x ∈ {−1, 1}³⁰ uniform         main = [x₀x₁x₂x₃ > 0]

    No single input, pair or triple of inputs carries information about `main`. conf/data/hints.yaml declares the
    parities of its halves, x₀x₁ and x₂x₃, as auxiliary tasks. They are hints in the sense of Abu-Mostafa (1990): the
    net does not get them as inputs but learns them (Caruana 1997, 3.2.3, calls this eavesdropping).
    """
    random = np.random.default_rng(0)
    x = 2.0 * random.integers(0, 2, size=(ROWS, 30)) - 1
    return _inputs(x) | {"main": _bit(x[:, 0] * x[:, 1] * x[:, 2] * x[:, 3])}


def focusing() -> Table:
    """Four regressions `a`..`d` on the same 3 of 30 inputs; 50,000 rows.

        x ~ N(0, 1)³⁰        h = tanh(1.5 U z), z = x₀..x₂, U [3, 6] ~ N(0, 1/3)
        y_t = v_t·h + 0.5 ε  v_t ~ N(0, 1)⁶ of length 1.5

    Inputs x₃..x₂₉ are irrelevant. With few rows and noise they seem to matter to a single task, but not to all tasks.
    So the other tasks show which inputs matter (Caruana 1997, 3.2.2: attribute selection). Three quarters of the
    variance of `a` are noise.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 30))
    h = np.tanh(1.5 * x[:, :3] @ random.normal(size=(3, 6)) / np.sqrt(3))
    v = random.normal(size=(6, 4))
    y = h @ (1.5 * v / np.linalg.norm(v, axis=0)) + 0.5 * random.normal(size=(ROWS, 4))
    return _inputs(x) | dict(zip("abcd", y.T, strict=True))


def quantised() -> Table:
    """A binary label `high` and a number `level`, both noisy readings of the same number; 50,000 rows.

        x ~ N(0, 1)²⁰, r = w·x, w of length 1         high = [r + 0.5 ε > 1.2], level = r + 0.5 ε′

    Quantisation smoothing (Caruana 1997, 4.8): `high` loses the distance of a row from the threshold. `level`, with
    independent noise, keeps it. `high` is 1 in 14 % of the rows.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 20))
    w = random.normal(size=20)
    r = x @ (w / np.linalg.norm(w))
    high = (r + 0.5 * random.normal(size=ROWS) > 1.2).astype(float)
    return _inputs(x) | {"high": high, "level": r + 0.5 * random.normal(size=ROWS)}


def future() -> Table:
    """An outcome `y`, and a measurement `later` that is not yet known at prediction time; 50,000 rows.

        x ~ N(0, 1)²⁰        s = tanh(1.5 U x), U [3, 20] ~ N(0, 1/20)
        later = s₁ + 0.2 ε, y = s₁ + 0.3 s₂ + 0.8 ε

    The future as an auxiliary task (Caruana 1997, 4.9): `later` cannot be an input, because it is unknown when y is
    predicted, but past rows have it. It has the same source as y with less noise. Only y is evaluated.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 20))
    s = np.tanh(x @ random.normal(size=(20, 3)) * 1.5 / np.sqrt(20))
    later = s[:, 0] + 0.2 * random.normal(size=ROWS)
    return _inputs(x) | {"later": later, "y": s[:, 0] + 0.3 * s[:, 1] + 0.8 * random.normal(size=ROWS)}


def augmentation() -> Table:
    """Sixteen regressions `t00`..`t15` on one direction of 20 inputs; 50,000 rows.

        x ~ N(0, 1)²⁰, w of length 1         t_i = tanh(w·x) + ε_i

    Implicit data augmentation (Caruana 1997, 3.2.1): tasks that share a feature but have independent noise average
    over the noise. The model is a trunk of one tanh unit; its weights estimate the shared direction.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 20))
    w = random.normal(size=20)
    signal = np.tanh(x @ (w / np.linalg.norm(w)))
    return _inputs(x) | {f"t{i:02d}": signal + random.normal(size=ROWS) for i in range(16)}


def shared_features() -> Table:
    """Eight regressions `t0`..`t7` on the same three nonlinear features of 20 inputs; 50,000 rows.

        x ~ N(0, 1)²⁰, h = tanh(2 U x), U [3, 20] ~ N(0, 1/20)         t_i = v_i·h + 0.6 ε_i, v_i of length 1

    As `augmentation`, for a net. Every task is a different combination of the features, so no task can replace another.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 20))
    h = np.tanh(2 * x @ random.normal(size=(20, 3)) / np.sqrt(20))
    v = random.normal(size=(3, 8))
    y = h @ (v / np.linalg.norm(v, axis=0)) + 0.6 * random.normal(size=(ROWS, 8))
    return _inputs(x) | {f"t{i}": y[:, i] for i in range(8)}


def random_labels() -> Table:
    """A regression `y` on 20 inputs, and four random columns `r0`..`r3` independent of everything; 50,000 rows.

        x ~ N(0, 1)²⁰, y = tanh(2 u·x) + 0.5 ε, u of length 1, r_i = ε_i

    Auxiliary tasks with random labels take up capacity. They regularise but transfer nothing.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 20))
    u = random.normal(size=20)
    y = np.tanh(2 * x @ (u / np.linalg.norm(u))) + 0.5 * random.normal(size=ROWS)
    return _inputs(x) | {"y": y} | {f"r{i}": random.normal(size=ROWS) for i in range(4)}


def views() -> Table:
    """A regression `y` on two hidden numbers; the 12 inputs are noisy views of them; 50,000 rows.

        z ~ N(0, 1)², x = W z + ε, W [12, 2] ~ N(0, 1)             y = tanh(1.5 z₁) + sin(1.5 z₂) + 0.3 ε

    Few rows have a label of y (train_labels), but all have inputs. A trunk that predicts the inputs has found z.
    """
    random = np.random.default_rng(0)
    z = random.normal(size=(ROWS, 2))
    x = z @ random.normal(size=(2, 12)) + random.normal(size=(ROWS, 12))
    return _inputs(x) | {"y": np.tanh(1.5 * z[:, 0]) + np.sin(1.5 * z[:, 1]) + 0.3 * random.normal(size=ROWS)}


def _domains(seed: int, source: np.ndarray, labelled: np.ndarray) -> Table:
    """Rows of a source (1) and a target (0) domain. labelled: 1 if the label of y may be used."""
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
    """Training rows, half of a source and half of a target domain; 20,000 rows.

        y uniform on {0, 1}, s = 2y − 1
        x: these eight numbers, rotated: four are 0.6 s + ε in both domains; four are 0.8 s + 0.25 + ε in the source and
        −0.25 + ε in the target

    `labelled` is 1 if the label of `y` may be used, which is so in source rows. The second four numbers predict best
    in the source but are useless in the target, and their mean differs between the domains. If an adversary cannot
    tell the domains from the trunk, the trunk cannot use them (Ganin & Lempitsky 2015). `domains_source` is val and
    `domains_target` is test, so target labels are used only at the end. The best accuracy in the target is 88 %.
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
