"""Weighted figures against scikit-learn and torchmetrics."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor

from mtlrun.statistics.resample import Scored, over_draws
from mtlrun.tasks import Binary, Categorical, Regression, metrics

NAN = float("nan")


def scores_labels_weights(runs: int, rows: int, ties: bool, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Scores (rounded, so that many are equal, with `ties`), labels and weights `[R, N]`, a quarter of them 0."""
    stream = torch.Generator().manual_seed(seed)
    labels = (torch.rand(runs, rows, generator=stream, dtype=torch.float64) < 0.3).double()
    scores = torch.randn(runs, rows, generator=stream, dtype=torch.float64) + labels
    weights = torch.rand(runs, rows, generator=stream, dtype=torch.float64) * 3
    weights[torch.rand(runs, rows, generator=stream) < 0.25] = 0
    return (scores * 2).round() if ties else scores, labels, weights


def each_run(function, *tensors: Tensor) -> list[float]:
    return [float(function(*(t.numpy() for t in run))) for run in zip(*tensors, strict=True)]


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("unit_weights", [False, True], ids=["weighted", "unweighted"])
@pytest.mark.parametrize(
    "ours, theirs", [(metrics.auroc, sk.roc_auc_score), (metrics.auprc, sk.average_precision_score)]
)
def test_curves_equal_scikit_learn(ours, theirs, ties: bool, unit_weights: bool) -> None:
    scores, labels, weights = scores_labels_weights(5, 300, ties)
    if unit_weights:
        weights = torch.ones_like(weights)
    expected = each_run(lambda s, y, w: theirs(y, s, sample_weight=w), scores, labels, weights)
    assert ours(scores, labels, weights).tolist() == pytest.approx(expected, abs=1e-12)


def test_curves_equal_torchmetrics() -> None:
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision

    scores, labels, _ = scores_labels_weights(2, 200, ties=True)
    ones = torch.ones_like(scores)
    for r in range(2):
        probability, label = torch.sigmoid(scores[r]), labels[r].long()
        assert metrics.auroc(scores, labels, ones)[r] == pytest.approx(
            float(binary_auroc(probability, label)), abs=1e-6
        )
        expected = float(binary_average_precision(probability, label))
        assert metrics.auprc(scores, labels, ones)[r] == pytest.approx(expected, abs=1e-6)


def test_all_scores_equal() -> None:
    labels, weights = torch.tensor([[0.0, 1, 1, 0, 0]]), torch.tensor([[1.0, 2, 1, 1, 1]])
    assert metrics.auroc(torch.zeros(1, 5), labels, weights).item() == pytest.approx(0.5)
    assert metrics.auprc(torch.zeros(1, 5), labels, weights).item() == pytest.approx(3 / 6)


# ---------------------------------------------------------------- ties


def rounded_apart(scores: Tensor, seed: int) -> Tensor:
    """Scores with an error of rounding: at most 3 units in the last place of float32 at 1, or at the score."""
    noise = torch.rand(scores.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1
    return scores + 3 * 2.0**-23 * scores.abs().clamp(min=1) * noise


@pytest.mark.parametrize("spread", [0.0, 1.0, 40.0])
@pytest.mark.parametrize("unit_weights", [False, True], ids=["weighted", "unweighted"])
def test_scores_that_differ_by_rounding_are_ties(spread: float, unit_weights: bool) -> None:
    """In whatever order a device adds numbers, the figures are scikit-learn's of the scores without rounding."""
    scores, labels, weights = scores_labels_weights(5, 300, ties=True)
    scores, weights = scores * spread - 2.3, torch.ones_like(weights) if unit_weights else weights
    for ours, theirs in ((metrics.auroc, sk.roc_auc_score), (metrics.auprc, sk.average_precision_score)):
        expected = each_run(lambda s, y, w, f=theirs: f(y, s, sample_weight=w), scores, labels, weights)
        for seed in range(4):
            found = ours(rounded_apart(scores, seed), labels, weights)
            assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_probabilities_apart_by_1e_8_have_no_order() -> None:
    """The case that read .906 alone and .973 in a stack: a net that says nearly the same of every row."""
    _, labels, weights = scores_labels_weights(1, 400, ties=False)
    probabilities = 0.3 + 9e-9 * (labels + torch.randn(1, 400, generator=torch.Generator().manual_seed(5)))
    scores = torch.logit(probabilities)
    assert sk.roc_auc_score(labels[0], scores[0]) > 0.7
    assert metrics.auroc(scores, labels, weights).item() == pytest.approx(0.5, abs=1e-12)


def test_a_million_scores_that_lie_close_keep_their_order() -> None:
    """All neighbours are as near as rounding. Only a tie of limited width is one."""
    count = 1 << 20
    scores = torch.linspace(-0.1, 0.1, count, dtype=torch.float64).unsqueeze(0)  # apart by 2e-7
    labels = (torch.rand(1, count, generator=torch.Generator().manual_seed(0)) < 0.5 + 2 * scores).double()
    exact = sk.roc_auc_score(labels[0], scores[0])
    assert metrics.auroc(scores, labels, torch.ones_like(scores)).item() == pytest.approx(exact, abs=1e-5)


def test_a_draw_of_rows_has_the_same_ties() -> None:
    """`compare --rows` computes figures from scores of rows: those of the run."""
    scores, labels, weights = scores_labels_weights(1, 300, ties=True)
    logits = rounded_apart(scores, 0)
    columns = {name: v.numpy() for name, v in Binary.row_scores(logits[0].unsqueeze(1), labels[0], 1.0).items()}
    rows, whole = Scored(weights[0].numpy(), columns), np.ones((1, 300), np.float32)
    figures = Binary.metrics(logits.unsqueeze(2), labels, weights, torch.ones(1))
    for metric in ("accuracy", "auroc", "auprc", "logloss", "brier", "ece"):
        assert over_draws(whole, [(rows, metric)])[0, 0] == pytest.approx(figures[metric].item(), rel=1e-6)


def test_a_class_that_is_ahead_by_rounding_is_not_chosen() -> None:
    ones, labels = torch.ones(1, 6), torch.tensor([[0.0, 1, 1, 0, 1, 1]])
    logits = torch.tensor([[3e-8, -5e-8, 7e-8, 0.0, 1e-4, -1e-4]]).unsqueeze(2)
    assert Binary.metrics(logits, labels, ones, torch.ones(1))["accuracy"].item() == pytest.approx(3 / 6)
    three = torch.tensor([[0.0, 6e-8, -6e-8], [2.0, 5.0, 5.0 + 5e-7], [1.0, 1.0 + 1e-4, 0.0]])
    assert metrics.chosen(three).tolist() == [0, 1, 1]
    by_row = Categorical.row_scores(three.double(), torch.tensor([0.0, 1, 1]), 1.0)["accuracy"]
    assert by_row.tolist() == [1, 1, 1]


def test_r2_equals_scikit_learn() -> None:
    scores, _, weights = scores_labels_weights(4, 150, ties=False)
    labels = scores * 2 + torch.randn(4, 150, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 50
    expected = each_run(lambda e, y, w: sk.r2_score(y, y + e, sample_weight=w), scores, labels, weights)
    assert metrics.r2(scores, labels, weights).tolist() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("figure", ["mean", "r2", "auroc", "auprc"])
def test_rows_of_weight_0_may_hold_nan(figure: str) -> None:
    scores, labels, weights = scores_labels_weights(6, 80, ties=True)
    function = {
        "mean": lambda s, y, w: metrics.weighted_mean(s, w),
        "r2": metrics.r2,
        "auroc": metrics.auroc,
        "auprc": metrics.auprc,
    }[figure]
    expected = function(scores, labels, weights)
    absent = weights == 0
    assert absent.any(1).all()
    broken = function(scores.masked_fill(absent, NAN), labels.masked_fill(absent, NAN), weights)
    torch.testing.assert_close(broken, expected, rtol=1e-12, atol=1e-12)
    present = function(scores[:1, ~absent[0]], labels[:1, ~absent[0]], weights[:1, ~absent[0]])
    torch.testing.assert_close(present[0], expected[0], rtol=1e-12, atol=1e-12)


def test_undefined_figures_are_nan() -> None:
    scores = torch.tensor([[0.1, 0.4, 0.3]]).expand(3, 3)
    labels = torch.tensor([[1.0, 1, 1], [0, 0, 0], [0, 1, 1]])
    weights = torch.tensor([[1.0, 1, 1], [1, 1, 1], [0, 1, 1]])  # the last run's only negative does not count
    assert metrics.auroc(scores, labels, weights).isnan().all()
    assert metrics.auprc(scores, labels, weights).isnan().all()
    assert metrics.weighted_mean(scores, torch.zeros(3, 3)).isnan().all()
    assert metrics.r2(scores, labels, torch.zeros(3, 3)).isnan().all()


@pytest.mark.parametrize("value", [0.1, 3.3, -1e9 / 7])
def test_r2_of_constant_labels_is_nan(value: float) -> None:
    # the weighted mean of equal numbers misses them by a rounding for some of these weights
    weights = torch.rand(200, 37, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.full((200, 37), value, dtype=torch.float64)
    assert metrics.r2(torch.ones(200, 37), labels, weights).isnan().all()


def test_figures_of_a_binary_task() -> None:
    logits, labels, weights = scores_labels_weights(3, 120, ties=False)
    figures = Binary.metrics(logits.unsqueeze(-1), labels, weights, torch.ones(3))
    assert list(figures) == ["accuracy", "auroc", "auprc", "logloss", "brier", "ece"]
    for r in range(3):
        y, w, p = labels[r].numpy(), weights[r].numpy(), torch.sigmoid(logits[r]).numpy()
        assert figures["accuracy"][r].item() == pytest.approx(sk.accuracy_score(y, p > 0.5, sample_weight=w), abs=1e-12)
        assert figures["auroc"][r].item() == pytest.approx(sk.roc_auc_score(y, p, sample_weight=w), abs=1e-12)
        assert figures["auprc"][r].item() == pytest.approx(sk.average_precision_score(y, p, sample_weight=w), abs=1e-12)
        assert figures["logloss"][r].item() == pytest.approx(sk.log_loss(y, p, sample_weight=w), abs=1e-8)
        assert figures["brier"][r].item() == pytest.approx(sk.brier_score_loss(y, p, sample_weight=w), abs=1e-12)
        assert figures["ece"][r].item() == pytest.approx(calibration_error(p, y, w), abs=1e-12)


def test_logloss_of_a_sure_prediction_is_finite() -> None:
    outputs = torch.tensor([[[200.0], [-200.0]]])
    figures = Binary.metrics(outputs, torch.tensor([[0.0, 0.0]]), torch.ones(1, 2), torch.ones(1))
    assert figures["logloss"].item() == pytest.approx(100.0)


def test_figures_of_a_categorical_task() -> None:
    stream = torch.Generator().manual_seed(3)
    outputs = torch.randn(3, 90, 4, generator=stream, dtype=torch.float64)
    labels = torch.randint(4, (3, 90), generator=stream).double()
    weights = torch.rand(3, 90, generator=stream, dtype=torch.float64)
    figures = Categorical.metrics(outputs, labels, weights, torch.ones(3))
    assert list(figures) == ["accuracy", "logloss", "brier", "ece"]
    for r in range(3):
        y, w, p = labels[r].numpy(), weights[r].numpy(), outputs[r].softmax(-1).numpy()
        assert figures["accuracy"][r].item() == pytest.approx(sk.accuracy_score(y, p.argmax(1), sample_weight=w))
        expected = sk.log_loss(y, p, sample_weight=w, labels=range(4))
        assert figures["logloss"][r].item() == pytest.approx(expected, abs=1e-12)
        expected = sk.brier_score_loss(y, p, sample_weight=w, labels=range(4))
        assert figures["brier"][r].item() == pytest.approx(expected, abs=1e-12)
        expected = calibration_error(p.max(1), p.argmax(1) == y, w)
        assert figures["ece"][r].item() == pytest.approx(expected, abs=1e-12)


def calibration_error(confidence: np.ndarray, hits: np.ndarray, weights: np.ndarray) -> float:
    """Guo et al. 2017, eq. 3, as it stands there: Σ_b (share of the rows in bin b) · |accuracy − confidence|."""
    total, bins = 0.0, 15
    for b in range(bins):
        inside = [
            i
            for i, c in enumerate(confidence)
            if (b / bins < c or (b == 0 and c == 0)) and c <= (b + 1) / bins and weights[i] > 0
        ]
        if inside:
            share = weights[inside].sum()
            gap = np.average(hits[inside], weights=weights[inside]) - np.average(
                confidence[inside], weights=weights[inside]
            )
            total += share * abs(gap)
    return total / weights.sum()


@pytest.mark.parametrize(
    "probabilities, labels, expected",
    [
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.0),
        ([1.0, 1.0, 0.0, 0.0], [1, 0, 0, 1], 0.5),  # the outermost bins hold 0 and 1
        ([0.9, 0.9, 0.1, 0.1], [1, 1, 0, 0], 0.1),
        ([0.9, 0.1, np.nan], [0, 1, np.nan], 0.9),  # the last row has weight 0
        ([0.9, np.nan], [1, 1], np.nan),  # a prediction that is not finite
    ],
)
def test_calibration_errors_by_hand(probabilities: list[float], labels: list[float], expected: float) -> None:
    p, y = torch.tensor([probabilities] * 2), torch.tensor([labels] * 2)
    weights = torch.ones_like(p).masked_fill(y.isnan(), 0)
    assert metrics.ece(p, y, weights).tolist() == pytest.approx([expected] * 2, abs=1e-7, nan_ok=True)
    assert metrics.ece(p, y, torch.zeros_like(p)).isnan().all()


def test_a_draw_of_rows_has_the_calibration_of_classes() -> None:
    stream = torch.Generator().manual_seed(3)
    outputs = torch.randn(1, 200, 4, generator=stream, dtype=torch.float64)
    labels, weights = torch.randint(4, (1, 200), generator=stream).double(), torch.rand(1, 200, generator=stream)
    columns = {name: v.numpy() for name, v in Categorical.row_scores(outputs[0], labels[0], 1.0).items()}
    figures = Categorical.metrics(outputs, labels, weights.double(), torch.ones(1))
    for metric, value in figures.items():
        drawn = over_draws(np.ones((1, 200), np.float32), [(Scored(weights[0].numpy(), columns), metric)])
        assert drawn[0, 0] == pytest.approx(value.item(), rel=1e-5), metric


def test_figures_of_a_regression_are_in_the_unit_of_the_target() -> None:
    stream = np.random.default_rng(0)
    outputs, labels, weights = (torch.from_numpy(stream.random((2, 60))) for _ in range(3))
    scale = torch.tensor([1.0, 250.0], dtype=torch.float64)
    figures = Regression.metrics(outputs.unsqueeze(-1), labels, weights, scale)
    assert list(figures) == ["mse", "rmse", "mae", "r2"]
    for r, unit in enumerate(scale.tolist()):
        y, p, w = (v[r].numpy() for v in (labels * unit, outputs * unit, weights))
        assert figures["mse"][r].item() == pytest.approx(sk.mean_squared_error(y, p, sample_weight=w))
        assert figures["rmse"][r].item() == pytest.approx(sk.root_mean_squared_error(y, p, sample_weight=w))
        assert figures["mae"][r].item() == pytest.approx(sk.mean_absolute_error(y, p, sample_weight=w))
        assert figures["r2"][r].item() == pytest.approx(sk.r2_score(y, p, sample_weight=w))
