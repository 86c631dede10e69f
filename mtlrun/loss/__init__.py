"""Loss strategies: losses `[R, T]` in, weights `[R, T]` out. One file for each strategy, and these:

base.py       the interface: Strategy, its inputs, its setup
gramian.py    strategies that solve for weights from the inner products of gradients; solvers.py: their solvers
cosines.py    cosines of gradients, for strategies that compare them
learnt.py     strategies with one learnt number for each task
mixed.py      different strategies in one stack
parts.py      parts of several strategies: softmax, floor of losses, mean losses of an epoch, random numbers
"""

from mtlrun.config.schema.loss import GradientLossConfig
from mtlrun.loss.aligned_mtl import AlignedMtl
from mtlrun.loss.base import StepInputs, Strategy, StrategySetup
from mtlrun.loss.cagrad import Cagrad
from mtlrun.loss.conflict_free import ConfigStrategy
from mtlrun.loss.db_mtl import DbMtl
from mtlrun.loss.dualproj import Dualproj
from mtlrun.loss.dwa import Dwa
from mtlrun.loss.excess_mtl import ExcessMtl
from mtlrun.loss.fairgrad import Fairgrad
from mtlrun.loss.famo import Famo
from mtlrun.loss.fixed import Fixed
from mtlrun.loss.gls import Gls
from mtlrun.loss.graddrop import Graddrop
from mtlrun.loss.gradnorm import Gradnorm
from mtlrun.loss.gradvac import Gradvac
from mtlrun.loss.gramian import GramianStrategy
from mtlrun.loss.imtl import Imtl
from mtlrun.loss.imtl_g import ImtlG
from mtlrun.loss.imtl_l import ImtlL
from mtlrun.loss.mgda import Mgda
from mtlrun.loss.mixed import Mixed
from mtlrun.loss.nash_mtl import NashMtl
from mtlrun.loss.pcgrad import Pcgrad
from mtlrun.loss.rlw import Rlw
from mtlrun.loss.stch import Stch
from mtlrun.loss.sum import Sum
from mtlrun.loss.uncertainty import Uncertainty
from mtlrun.loss.upgrad import Upgrad
from mtlrun.util.errors import RequestError
from mtlrun.util.registry import Registry

_OWN: dict[str, type[Strategy]] = {
    "sum": Sum,
    "fixed": Fixed,
    "uncertainty": Uncertainty,
    "dwa": Dwa,
    "rlw": Rlw,
    "gls": Gls,
    "imtl_l": ImtlL,
    "stch": Stch,
    "famo": Famo,
    "pcgrad": Pcgrad,
    "gradvac": Gradvac,
    "imtl_g": ImtlG,
    "imtl": Imtl,
    "aligned_mtl": AlignedMtl,
    "config": ConfigStrategy,
    "mgda": Mgda,
    "cagrad": Cagrad,
    "nash_mtl": NashMtl,
    "fairgrad": Fairgrad,
    "upgrad": Upgrad,
    "dualproj": Dualproj,
    "gradnorm": Gradnorm,
    "graddrop": Graddrop,
    "excess_mtl": ExcessMtl,
    "db_mtl": DbMtl,
}
STRATEGIES = Registry("loss", _OWN, Strategy)


def make_strategy(setup: StrategySetup) -> Strategy:
    """Returns the strategy of a stack. Raises RequestError if settings and class of a package disagree on gradients."""
    kinds = [STRATEGIES[c.name] for c in setup.configs]
    for config, kind in zip(setup.configs, kinds, strict=True):
        if kind.needs_gradients != isinstance(config, GradientLossConfig):
            raise RequestError(
                f"loss {config.name}: needs_gradients is {kind.needs_gradients}, but its settings "
                f"{'derive' if not kind.needs_gradients else 'do not derive'} from GradientLossConfig\nmend the package"
            )
    return kinds[0](setup) if len(set(kinds)) == 1 else Mixed(kinds, setup)


__all__ = ["STRATEGIES", "GramianStrategy", "Mixed", "StepInputs", "Strategy", "StrategySetup", "make_strategy"]
