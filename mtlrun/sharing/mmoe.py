"""Multi-gate mixture of experts."""

from mtlrun.config.schema.sharing import MmoeConfig
from mtlrun.sharing.base import Plan
from mtlrun.sharing.cgc import Cgc


class Mmoe(Cgc):
    """E shared experts, and a gate for each task (Ma et al., KDD 2018, eq. 6 and 7).

        features of t = Σ_e g_te(x) h_e(x)    g_t = softmax(x W_t + b_t)

    This is `Cgc` without task experts. With one expert it is hard sharing.
    """

    def __init__(self, plan: Plan) -> None:
        config = plan.configs[0]
        assert isinstance(config, MmoeConfig)
        self._build(plan, config.experts, 0)
        self.names = [f"expert{k}" for k in range(config.experts)]
