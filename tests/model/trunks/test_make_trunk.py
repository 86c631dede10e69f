"""The trunk of a package: a module of one run, or a Trunk over the run axis, as its settings say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from mtlrun.config.package import Extension, Option, check_extension
from mtlrun.config.schema import BareModelConfig, ModelConfig
from mtlrun.extensions import per_run
from mtlrun.model.trunks import MODULES, Noise, Trunk, make_trunk
from mtlrun.util.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class ShiftConfig(BareModelConfig):
    over_runs: ClassVar[bool] = True

    name: str = "shift"
    by: float = per_run(1.0)

    @property
    def net(self) -> ModelConfig:
        return ModelConfig(hidden=[3], head_hidden=[])


class Shift(Trunk):
    """The first three inputs plus a number of each run."""

    def __init__(self, configs: Sequence[ShiftConfig], seeds: Sequence[int], inputs: int) -> None:
        super().__init__()
        self.widths = [inputs, 3]
        self.by = nn.Parameter(torch.tensor([[[config.by]] for config in configs]))

    def features(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        return [x, x[..., :3] + self.by]


def test_runs_of_a_trunk_over_runs_have_settings_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "shift", Shift)
    trunk = make_trunk([ShiftConfig(by=1.0), ShiftConfig(by=-2.0)], [0, 0], 4)
    x = torch.zeros(2, 5, 4)
    assert isinstance(trunk, Shift)
    assert torch.equal(trunk(x)[1][:, 0], torch.tensor([[1.0] * 3, [-2.0] * 3]))


def test_a_class_that_is_not_what_its_settings_say_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "shift", nn.Linear)
    with pytest.raises(RequestError, match=r"model=shift: its settings say over_runs, and Linear is no mtlrun"):
        make_trunk([ShiftConfig()], [0], 4)
    monkeypatch.setitem(MODULES, "shift", Shift)
    monkeypatch.setattr(ShiftConfig, "net", ModelConfig(hidden=[7], head_hidden=[]))
    with pytest.raises(RequestError, match=r"has the widths \[4, 3\], and its settings say \[4, 7\]"):
        make_trunk([ShiftConfig()], [0], 4)


def test_only_settings_of_a_trunk_over_runs_may_be_per_run(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/shift.yaml").write_text("name: shift\nby: 1.0\n")
    extension = Extension(conf=tmp_path, models={"shift": Option(ShiftConfig, "m:Shift")})
    check_extension(extension)
    monkeypatch.setattr(ShiftConfig, "over_runs", False)
    with pytest.raises(ValueError, match="by is per_run, which only settings of a loss strategy or of a trunk"):
        check_extension(extension)
