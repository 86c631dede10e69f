"""Noise on the trunk's gradient."""

from collections.abc import Sequence

import torch

from mtlrun.config.schema import Config
from mtlrun.engine.flat import Flat
from mtlrun.model.layers import generator


class GradientNoise:
    """Adds to the trunk's gradient g a vector a·|g|·z/|z| with z from N(0, 1), a = `trainer.gradient_noise`.

    z is drawn from (seed, step). Runs without noise keep every bit.
    """

    def __init__(self, configs: Sequence[Config], flat: Flat) -> None:
        self.flat = flat
        noisy = {r: c.trainer.gradient_noise for r, c in enumerate(configs) if c.trainer.gradient_noise}
        self.seeds = [configs[r].seed for r in noisy]  # of the n runs with noise, like the next two
        self.runs = torch.tensor(list(noisy), dtype=torch.long, device=flat.values.device)
        self.levels = torch.tensor(list(noisy.values())).to(flat.values)

    def add(self, step: int) -> None:
        """Adds noise to the gradients of a step."""
        if not self.seeds:
            return
        size = self.flat.trunk_size
        shared = self.flat.gradients[:, :size]
        draws = [torch.randn(size, generator=generator(seed, "gradient_noise", step)) for seed in self.seeds]
        z = torch.stack(draws).to(shared)  # [n, S]
        # float64, as squares may overflow although the gradient is finite
        norms, lengths = (torch.linalg.vector_norm(v, dim=1, dtype=torch.float64) for v in (shared[self.runs], z))
        factors = self.levels * (norms / lengths).to(shared)
        shared.index_add_(0, self.runs, z * factors.unsqueeze(1))
