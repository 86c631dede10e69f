"""Trunks of installed packages: modules of a single run, stacked over runs."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from mtlrun.config.schema import BareModelConfig
from mtlrun.model.layers import generator
from mtlrun.model.trunks.base import Noise, Trunk
from mtlrun.util.errors import RequestError

Make = Callable[[Any, int], nn.Module]  # settings of the model, number of inputs


class ForeignTrunk(Trunk):
    """A trunk of R modules that have no run axis.

    Each module is `make(config, inputs)`, with initial values drawn from (seed, name) of its run. It maps `[B, inputs]`
    to the features after every layer: a list of `[B, H]`, with widths H as in `model.hidden`, or a single `[B, H]` if
    there is one layer. Parameters and buffers get the run axis in front, `[R, …]`. The forward pass is
    `torch.func.vmap` over it.

    Raises RequestError for a module
    - whose features do not have the widths of `model.hidden`;
    - that draws random numbers in its forward pass (dropout): a resumed run would draw others;
    - that changes a buffer in its forward pass (running statistics of BatchNorm);
    - whose features of a row depend on other rows: so would predictions;
    - that vmap does not support.
    """

    def __init__(
        self, make: Make, config: BareModelConfig, seeds: Sequence[int], inputs: int, name: str = "trunk"
    ) -> None:
        super().__init__()
        self.key = f"model={config.name}"
        if config.net.dropout:
            raise RequestError(
                f"model.dropout: found {config.net.dropout}, and the trunk of {self.key}, a package's, "
                "takes no masks\nallowed: 0.0"
            )
        modules = [self._made(make, config, inputs, seed, name) for seed in seeds]
        self.widths = [inputs, *config.net.hidden]
        self._try(modules[0], config)
        with torch.no_grad():
            for part in ("named_parameters", "named_buffers"):
                apart = [dict(getattr(module, part)()) for module in modules]
                stacked = {key: torch.stack([own[key].detach() for own in apart]) for key in apart[0]}
                for key, tensor in getattr(modules[0], part)():
                    tensor.data = stacked[key]  # keeps names and shared tensors
        self.module = modules[0]
        self.alone: list[nn.Module] = []  # see leave_stack; a list keeps it from becoming a submodule
        self._try_stacked(len(seeds))

    def features(self, x: Tensor, noise: Noise | None = None) -> list[Tensor]:
        return [x, *self._features(x)]

    def _features(self, x: Tensor) -> tuple[Tensor, ...]:
        if self.alone:
            return tuple(h.unsqueeze(0) for h in _listed(self.alone[0](x[0])))
        values = {
            f"{place}.{key}".lstrip("."): value
            for place, part in self.module.named_modules()
            for named in (part.named_parameters, part.named_buffers)
            for key, value in named(recurse=False, remove_duplicate=False)
        }
        found: tuple[Tensor, ...] = vmap(self._one)(values, x)
        return found

    @torch.no_grad()
    def leave_stack(self) -> None:
        """Switches a stack of one run to the module itself, without run axis: exporters cannot trace vmap."""
        module = copy.deepcopy(self.module)
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.requires_grad_(False).data = tensor.data[0]
        self.alone.append(module)

    def _one(self, values: dict[str, Tensor], rows: Tensor) -> tuple[Tensor, ...]:
        # each name of a shared tensor is given: tie_weights would break a module that is used in two places
        return _listed(functional_call(self.module, values, (rows,), tie_weights=False))

    # ------------------------------------------------------------ what a module must keep to

    def _made(self, make: Make, config: BareModelConfig, inputs: int, seed: int, name: str) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(generator(seed, "init", name).initial_seed())
            try:
                module = make(config, inputs)
            except Exception as error:  # the package's code may raise any error
                raise self._refusal("cannot be made", error) from error
        constant = next((key for key, p in module.named_parameters() if not p.requires_grad), None)
        if constant is not None:
            raise RequestError(f"{self.key}: {constant} is a parameter that does not learn\nmake it a buffer")
        return module

    def _try(self, module: nn.Module, config: BareModelConfig) -> None:
        """Checks the module of one run on a few random rows."""
        rows = torch.randn(3, self.widths[0], generator=generator(0, "try"))
        buffers = {key: value.clone() for key, value in module.named_buffers()}
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            state = torch.random.get_rng_state()
            try:
                features = _listed(module(rows))
                alone = _listed(module(rows[:1]))
            except Exception as error:
                raise self._refusal("fails on rows of inputs", error) from error
            drawn = not torch.equal(state, torch.random.get_rng_state())
        shapes, due = [list(h.shape) for h in features], [[3, width] for width in config.net.hidden]
        if shapes != due:
            raise RequestError(
                f"{self.key}: from 3 rows come features of shapes {shapes}, expected {due}\n"
                "model.hidden names the widths of all layers that the trunk hands out"
            )
        if drawn:
            raise RequestError(
                f"{self.key}: draws random numbers in its forward pass, which a resumed run would not "
                "draw again\nleave out dropout"
            )
        changed = next((k for k, v in module.named_buffers() if not torch.equal(v, buffers[k])), None)
        if changed is not None:
            raise RequestError(
                f"{self.key}: changes the buffer {changed} in its forward pass, which is no part of a "
                "step\nuse LayerNorm in place of BatchNorm"
            )
        if not all(torch.allclose(a, b[:1], rtol=1e-3, atol=1e-5) for a, b in zip(alone, features, strict=True)):
            raise RequestError(
                f"{self.key}: the features of a row depend on the other rows of its batch\n"
                "use LayerNorm in place of BatchNorm"
            )

    def _try_stacked(self, runs: int) -> None:
        try:
            with torch.no_grad():
                self._features(torch.zeros(runs, 2, self.widths[0]))
        except Exception as error:
            raise self._refusal("cannot be stacked over runs by torch.func.vmap", error) from error

    def _refusal(self, what: str, error: Exception) -> RequestError:
        words = " ".join(str(error).split())[:200]
        return RequestError(f"{self.key}: its trunk {what} ({type(error).__name__}: {words})\nmend the package")


def _listed(features: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (features,) if isinstance(features, Tensor) else tuple(features)
