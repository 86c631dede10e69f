"""Trunks written for one run, stacked."""

from dataclasses import dataclass
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from mtlrun.config.schema import ModelConfig
from mtlrun.model.trunks.foreign import ForeignTrunk
from mtlrun.util.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class NetConfig(ModelConfig):
    name: Literal["net"] = "net"


CONFIG = NetConfig(hidden=[5, 4], head_hidden=[3])


class Net(nn.Module):
    """Three layers, one of which stands in two places and shares its bias with another; random features."""

    fixed: Tensor

    def __init__(self, config: NetConfig, inputs: int) -> None:
        super().__init__()
        a, b = config.hidden
        self.first, self.square, self.last = nn.Linear(inputs, a), nn.Linear(a, a), nn.Linear(a, b)
        self.again, self.first.bias = self.square, self.square.bias
        self.register_buffer("fixed", torch.randn(inputs, a))

    def forward(self, x: Tensor) -> list[Tensor]:
        h = torch.tanh(self.first(x) + x @ self.fixed)
        h = self.again(torch.tanh(self.square(h)))
        return [h, torch.relu(self.last(h))]


def one(seed: int) -> Net:
    """The module of one run, as the trunk of a stack of one has it."""
    trunk = ForeignTrunk(Net, CONFIG, [seed], 3)
    net = Net(CONFIG, 3)
    net.load_state_dict({key: value[0] for key, value in trunk.module.state_dict().items()})
    return net


def test_a_stack_is_its_runs_side_by_side_whatever_was_drawn_before() -> None:
    trunk = ForeignTrunk(Net, CONFIG, [7, 8], 3)
    assert trunk.widths == [3, 5, 4]
    assert [p.shape[0] for p in trunk.parameters()] == [2] * 5  # what stands in two places once
    x = torch.randn(2, 6, 3)
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    runs = [one(7), one(8)]
    assert torch.equal(before, torch.random.get_rng_state()) is False  # Net() itself draws; the trunk does not
    torch.manual_seed(123)
    ForeignTrunk(Net, CONFIG, [7], 3)
    assert torch.equal(before, torch.random.get_rng_state())
    features = trunk(x)
    assert torch.equal(features[0], x)
    for r, run in enumerate(runs):
        for found, due in zip(features[1:], run(x[r]), strict=True):
            torch.testing.assert_close(found[r], due, rtol=1e-6, atol=1e-6)
    values = trunk.module.state_dict()
    assert not torch.equal(*values["first.weight"]) and not torch.equal(*values["fixed"])


def test_gradients_of_tasks_are_those_of_autograd_in_every_run() -> None:
    trunk, (x, upstream) = ForeignTrunk(Net, CONFIG, [7, 8], 3), (torch.randn(2, 6, 3), torch.randn(2, 3, 6, 4))
    first = torch.randn(2, 3, 6, 5)
    tape: list[list[Tensor]] = []
    with torch.no_grad():
        features = trunk(x, None, tape)
    assert not any(h.requires_grad for h in features)
    size = sum(p[0].numel() for p in trunk.parameters())
    out = torch.full((2, 3, size), torch.nan)
    trunk.pull_back(tape, {1: first, 2: upstream}, out)
    for r, run in enumerate([one(7), one(8)]):
        for t in range(3):
            h1, h2 = run(x[r])
            total = (h1 * first[r, t]).sum() + (h2 * upstream[r, t]).sum()
            due = torch.cat([g.flatten() for g in torch.autograd.grad(total, list(run.parameters()))])
            torch.testing.assert_close(out[r, t], due, rtol=1e-5, atol=1e-5)
    trunk.pull_back(tape, {0: x.unsqueeze(1).expand(-1, 3, -1, -1)}, out)  # the inputs have no parameters
    assert bool((out == 0).all())


def test_it_can_be_traced_for_one_run_and_any_batch() -> None:
    trunk, x = ForeignTrunk(Net, CONFIG, [7], 3), torch.randn(1, 6, 3)
    with torch.no_grad():
        due = trunk(x)[2]
        trunk.leave_stack()
        traced = torch.jit.trace(lambda rows: trunk(rows)[2], torch.randn(1, 4, 3))
        torch.testing.assert_close(traced(x), due)


class Dropped(Net):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [nn.functional.dropout(h, 0.5) for h in super().forward(x)]


class Normed(Net):
    def __init__(self, config: NetConfig, inputs: int) -> None:
        super().__init__(config, inputs)
        self.norm = nn.BatchNorm1d(4, track_running_stats=self.running)

    running = False

    def forward(self, x: Tensor) -> list[Tensor]:
        h1, h2 = super().forward(x)
        return [h1, self.norm(h2) if len(x) > 1 else h2]


class Running(Normed):
    running = True


class Narrow(Net):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [h[:, :3] for h in super().forward(x)]


class Constant(Net):
    def __init__(self, config: NetConfig, inputs: int) -> None:
        super().__init__(config, inputs)
        self.last.weight.requires_grad_(False)


class Unmade(Net):
    def __init__(self, config: NetConfig, inputs: int) -> None:
        raise ValueError("only for 2 inputs")


class Branching(Net):
    def forward(self, x: Tensor) -> list[Tensor]:
        h1, h2 = super().forward(x)
        return [h1, h2 if float(self.first.bias.sum()) < 100 else -h2]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Dropped, "model=net: draws random numbers in its forward pass"),
        (Normed, "model=net: the features of a row depend on the other rows of its batch"),
        (Running, "model=net: changes the buffer norm.running_mean in its forward pass"),
        (Narrow, r"from 3 rows come features of shapes \[\[3, 3\], \[3, 3\]\], expected \[\[3, 5\], \[3, 4\]\]"),
        (Constant, "last.weight is a parameter that does not learn"),
        (Unmade, r"its trunk cannot be made \(ValueError: only for 2 inputs\)"),
        (Branching, "its trunk cannot be stacked over runs by torch.func.vmap"),
    ],
)
def test_modules_that_break_what_a_run_promises_are_refused(kind: type[nn.Module], why: str) -> None:
    with pytest.raises(RequestError, match=why):
        ForeignTrunk(kind, CONFIG, [0, 1], 3)


def test_dropout_of_the_configuration_is_refused() -> None:
    with pytest.raises(RequestError, match=r"model.dropout: found 0.1"):
        ForeignTrunk(Net, NetConfig(hidden=[5, 4], head_hidden=[], dropout=0.1), [0], 3)
