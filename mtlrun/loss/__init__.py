"""Loss strategies, one file each: losses `[R, T]` in, weights `[R, T]` out."""

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
    """The strategy of a stack."""
    kinds = [STRATEGIES[c.name] for c in setup.configs]
    return kinds[0](setup) if len(set(kinds)) == 1 else Mixed(kinds, setup)


__all__ = ["STRATEGIES", "GramianStrategy", "Mixed", "StepInputs", "Strategy", "StrategySetup", "make_strategy"]
