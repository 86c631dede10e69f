"""Losses of single rows, estimates and noise models of every task type."""

import math

import pytest
import torch
from scipy import stats
from scipy.optimize import minimize_scalar
from torch.nn import functional as F

from mtlrun.tasks import TYPES, Binary, Categorical, Count, Reconstruction, Regression, names, type_of

RUNS, ROWS = 3, 7


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3


@pytest.mark.parametrize("loss, theirs", [("mse", F.mse_loss), ("l1", F.l1_loss)])
def test_regression_losses(loss: str, theirs) -> None:
    outputs, labels = normal(RUNS, ROWS, 2, 1), normal(RUNS, ROWS, 2, seed=1)
    ours = Regression(loss, [1.0, 1.0], [0, 0]).row_losses(outputs, labels)
    torch.testing.assert_close(ours, theirs(outputs[..., 0], labels, reduction="none"), rtol=0, atol=1e-14)


def test_huber_loss_with_a_delta_per_task() -> None:
    deltas = [0.5, 1.0, 4.0]
    outputs, labels = normal(RUNS, ROWS, 3, 1).requires_grad_(), normal(RUNS, ROWS, 3, seed=1)
    ours = Regression("huber", deltas, [0, 0, 0]).row_losses(outputs, labels)
    pairs = [(outputs[:, :, t, 0], labels[:, :, t], d) for t, d in enumerate(deltas)]
    theirs = torch.stack([F.huber_loss(o, y, reduction="none", delta=d) for o, y, d in pairs], -1)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)
    gradients = [torch.autograd.grad(v.sum(), outputs)[0] for v in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-13)


def test_binary_loss() -> None:
    outputs, labels = normal(RUNS, ROWS, 2, 1) * 20, (normal(RUNS, ROWS, 2, seed=1) > 0).double()
    ours = Binary("cross_entropy", [1.0, 1.0], [2, 2]).row_losses(outputs, labels)
    theirs = F.binary_cross_entropy_with_logits(outputs[..., 0], labels, reduction="none")
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)


def test_categorical_loss_with_padded_classes() -> None:
    classes = [2, 5, 3]
    outputs = normal(RUNS, ROWS, 3, 5)
    for t, k in enumerate(classes):
        outputs[:, :, t, k:] = -torch.inf
    outputs.requires_grad_()
    labels = torch.stack(
        [torch.randint(k, (RUNS, ROWS), generator=torch.Generator().manual_seed(k)) for k in classes], -1
    )
    ours = Categorical("cross_entropy", [1.0] * 3, classes).row_losses(outputs, labels.double())
    for t, k in enumerate(classes):
        theirs = F.cross_entropy(outputs[:, :, t, :k].reshape(-1, k), labels[:, :, t].reshape(-1), reduction="none")
        torch.testing.assert_close(ours[:, :, t].reshape(-1), theirs, rtol=0, atol=1e-14)
    (gradient,) = torch.autograd.grad(ours.sum(), outputs)
    assert gradient.isfinite().all()
    assert (gradient[:, :, 0, 2:] == 0).all() and (gradient[:, :, 2, 3:] == 0).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_labels_are_those_of_torch(smoothing: float) -> None:
    classes = [2, 5, 3]
    outputs = normal(RUNS, ROWS, 3, 5)
    for t, k in enumerate(classes):
        outputs[:, :, t, k:] = -torch.inf
    outputs.requires_grad_()
    labels = torch.arange(RUNS * ROWS * 3).view(RUNS, ROWS, 3).remainder(2)
    kind = Categorical("cross_entropy", [1.0] * 3, classes)
    kind.smoothing = smoothing
    ours = kind.training_losses(outputs, labels.double())
    for t, k in enumerate(classes):
        logits, known = outputs[:, :, t, :k].reshape(-1, k), labels[:, :, t].reshape(-1)
        theirs = F.cross_entropy(logits, known, reduction="none", label_smoothing=smoothing)
        torch.testing.assert_close(ours[:, :, t].reshape(-1), theirs, rtol=0, atol=1e-13)
    (gradient,) = torch.autograd.grad(ours.sum(), outputs)
    assert gradient.isfinite().all() and (gradient[:, :, 0, 2:] == 0).all()
    binary = Binary("cross_entropy", [1.0], [2])
    binary.smoothing = smoothing
    logit, label = outputs[:, :, :1, :1].detach(), labels[:, :, :1].double()
    pair = torch.cat([torch.zeros_like(logit), logit], -1).reshape(-1, 2)
    theirs = F.cross_entropy(pair, label.long().flatten(), reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(binary.training_losses(logit, label).flatten(), theirs, rtol=0, atol=1e-13)


def test_estimates_are_what_labels_would_be_if_known() -> None:
    """Probabilities that are certain equal the features of the label, in shape and value."""
    labels = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    binary = Binary("cross_entropy", [1.0], [2])
    outputs = ((labels * 2 - 1) * 50).view(1, 4, 1, 1)
    torch.testing.assert_close(binary.estimate(outputs, 0), binary.label_features(labels, 0))
    assert binary.label_features(labels, 0).shape == (1, 4, 1)

    labels = torch.tensor([[2.0, 0.0, 1.0]])
    categorical = Categorical("cross_entropy", [1.0, 1.0], [4, 3])
    outputs = torch.full((1, 3, 2, 4), -torch.inf)
    outputs[:, :, 1, :3] = torch.eye(3)[labels.long()] * 50
    torch.testing.assert_close(categorical.estimate(outputs, 1), categorical.label_features(labels, 1))
    assert categorical.label_features(labels, 1)[0].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]

    regression = Regression("mse", [1.0], [0])
    assert torch.equal(regression.estimate(labels.view(1, 3, 1, 1), 0), regression.label_features(labels, 0))


def test_estimates_are_probabilities() -> None:
    outputs = normal(RUNS, ROWS, 2, 4)
    outputs[:, :, 1, 3:] = -torch.inf
    categorical = Categorical("cross_entropy", [1.0, 1.0], [4, 3])
    torch.testing.assert_close(categorical.estimate(outputs, 0), outputs[:, :, 0].softmax(-1))
    torch.testing.assert_close(categorical.estimate(outputs, 1), outputs[:, :, 1, :3].softmax(-1))
    torch.testing.assert_close(
        Binary("cross_entropy", [1.0], [2]).estimate(outputs[..., :1], 1), torch.sigmoid(outputs[:, :, 1, :1])
    )


@pytest.mark.parametrize(
    "kind, loss, optimum",
    [
        (Regression, "mse", lambda mse: mse),  # σ² = MSE
        (Regression, "huber", lambda huber: 2 * huber),  # half the square of a small error
        (Regression, "l1", lambda mae: mae),  # b = MAE
        (Reconstruction, "mse", lambda mse: mse),
        (Binary, "cross_entropy", lambda ce: 2 * ce),  # σ² = 2 CE
        (Categorical, "cross_entropy", lambda ce: 2 * ce),
        (Count, "poisson", lambda half: 2 * half),  # the dispersion is the mean deviance
    ],
)
@pytest.mark.parametrize("value", [1e-3, 0.5004, 4e6])
def test_noise_model_has_its_minimum_at_the_closed_form(kind, loss: str, optimum, value: float) -> None:
    a, c = kind.declared.losses[loss].noise
    found = minimize_scalar(lambda s: a * math.exp(-s) * value + c * s, bracket=(-5, 5), tol=1e-12)
    assert math.exp(found.x) == pytest.approx(optimum(value), rel=1e-5)


def test_likelihoods_of_the_noise_models() -> None:
    """a e^(−s) L + c s is the negative log-likelihood but for constants: Gaussian for mse, Laplace for l1."""
    errors, s = normal(50).numpy(), 0.7
    a, c = Regression.declared.losses["mse"].noise
    gaussian = stats.norm.logpdf(errors, scale=math.exp(s / 2)) + 0.5 * math.log(2 * math.pi)
    assert a * math.exp(-s) * errors**2 + c * s == pytest.approx(-gaussian, rel=1e-12)
    a, c = Regression.declared.losses["l1"].noise
    laplace = stats.laplace.logpdf(errors, scale=math.exp(s)) + math.log(2)
    assert a * math.exp(-s) * abs(errors) + c * s == pytest.approx(-laplace, rel=1e-12)


def test_every_type_has_the_metrics_that_it_declares_within_their_bounds() -> None:
    assert names()[: len(TYPES.own)] == list(TYPES.own)  # after them those of packages, once these are loaded
    labels = torch.tensor([[0.0, 1, 1, 0]])
    for name in TYPES.own:
        kind, declared = TYPES[name], type_of(name)
        assert declared.reads_inputs == kind.reads_inputs and declared.primary in declared.metrics and declared.losses
        outputs = torch.zeros(1, 4, max(kind.outputs(3), 1))
        figures = kind.metrics(outputs, labels, torch.ones(1, 4), torch.ones(1))
        assert list(figures) == list(declared.metrics)
        for metric, value in figures.items():
            assert declared.metrics[metric].lowest <= float(value) <= declared.metrics[metric].highest
        same = kind.metrics(outputs, torch.ones(1, 4), torch.ones(1, 4), torch.ones(1))
        undefined = {m for m, value in same.items() if value.isnan().any()}
        assert undefined == {m for m, metric in declared.metrics.items() if metric.needs_variation}, name
        for loss in declared.losses:
            assert kind(loss, [1.0], [3]).row_losses(outputs.unsqueeze(2), labels.unsqueeze(-1)).shape[:2] == (1, 4)
    sizes = {"regression": 0, "binary": 2, "categorical": 5, "reconstruction": 7}
    assert [TYPES[t].outputs(k) for t, k in sizes.items()] == [1, 1, 5, 7]


@pytest.mark.parametrize("size", [1.0, 80.0, 1e4, 1e30])
def test_cross_entropy_of_extreme_logits_with_padding_is_that_of_float64(size: float) -> None:
    kind = Categorical("cross_entropy", [1.0], [3])
    outputs = (torch.randn(2, 7, 1, 4, generator=torch.Generator().manual_seed(0)) * size).requires_grad_()
    padded = outputs + torch.tensor([0.0, 0.0, 0.0, -torch.inf])
    labels = torch.arange(14).view(2, 7, 1).remainder(3).float()
    exact = outputs.detach().double()[..., :3].requires_grad_()
    expected = torch.nn.functional.cross_entropy(exact.reshape(-1, 3), labels.long().flatten(), reduction="none")
    losses = kind.row_losses(padded, labels)
    assert torch.allclose(losses.flatten().double(), expected, rtol=1e-5, atol=1e-6 * size)
    (gradient,) = torch.autograd.grad(losses.sum(), outputs)
    (wanted,) = torch.autograd.grad(expected.sum(), exact)
    assert torch.allclose(gradient[..., :3].double(), wanted, atol=1e-5) and not gradient[..., 3].any()
    assert torch.allclose(kind.estimate(padded, 0).double(), exact[:, :, 0].softmax(-1), atol=1e-6)


@pytest.mark.parametrize(
    "name, classes", [("regression", 0), ("count", 0), ("binary", 2), ("categorical", 2), ("categorical", 5)]
)
def test_outputs_from_predictions_predict_these(name: str, classes: int) -> None:
    kind = TYPES[name]
    outputs = normal(ROWS, kind.outputs(classes)).numpy()
    predicted = kind.predicted(outputs, classes)
    again = kind.from_predicted(predicted, classes)
    assert again is not None and again.shape == outputs.shape
    torch.testing.assert_close(torch.tensor(kind.predicted(again, classes)), torch.tensor(predicted))


def test_a_type_with_predictions_of_its_own_has_no_outputs_for_them() -> None:
    class Halved(Regression):
        @classmethod
        def predicted(cls, outputs, classes):
            return outputs[:, 0] / 2

    assert Halved.from_predicted(normal(ROWS).numpy(), 0) is None


@pytest.mark.parametrize(
    "name, classes",
    [("regression", 0), ("count", 0), ("reconstruction", 4), ("binary", 2), ("categorical", 2), ("categorical", 5)],
)
@pytest.mark.parametrize("size", [1.0, 30.0])
def test_pooled_outputs_predict_the_mean_prediction(name: str, classes: int, size: float) -> None:
    kind, members = TYPES[name], 4
    block = kind(kind.declared.default_loss, [1.0, 1.0], [classes] * 2)
    outputs = normal(RUNS, members, ROWS, 2, kind.outputs(classes)) * size
    pooled = block.pooled(outputs)
    assert pooled.shape == outputs[:, 0].shape and pooled.isfinite().all()
    for r in range(RUNS):
        if kind.reads_inputs:
            continue  # has no predictions
        found = kind.predicted(pooled[r, :, 1].numpy(), classes)
        each = [kind.predicted(outputs[r, m, :, 1].numpy(), classes) for m in range(members)]
        torch.testing.assert_close(torch.tensor(found), torch.tensor(sum(each) / members), rtol=1e-10, atol=1e-300)


def test_padding_stays_padding_when_outputs_are_pooled() -> None:
    block = Categorical("cross_entropy", [1.0, 1.0], [2, 4])
    outputs = normal(RUNS, 3, ROWS, 2, 4)
    outputs[:, :, :, 0, 2:] = -torch.inf
    pooled = block.pooled(outputs)
    assert bool((pooled[:, :, 0, 2:] == -torch.inf).all()) and bool(pooled[:, :, 0, :2].isfinite().all())
    torch.testing.assert_close(pooled[:, :, 0, :2].exp(), outputs[:, :, :, 0, :2].softmax(-1).mean(1))
