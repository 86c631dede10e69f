"""Schemes by which tasks share features. One file for each scheme, and these:

base.py     the interface: Sharing, PulledBack and Plan
experts.py  experts and gates, for mmoe, cgc and ple
tied.py     one trunk for each task, tied by a penalty: for soft_l2, mean_regularized, trace_norm ...
"""

from mtlrun.sharing.base import Plan, PulledBack, Sharing
from mtlrun.sharing.cgc import Cgc
from mtlrun.sharing.cross_stitch import CrossStitch
from mtlrun.sharing.groups import Groups
from mtlrun.sharing.hard import Hard
from mtlrun.sharing.joint_features import JointFeatures
from mtlrun.sharing.l1 import L1
from mtlrun.sharing.mean_regularized import MeanRegularized
from mtlrun.sharing.mmoe import Mmoe
from mtlrun.sharing.none import NoSharing
from mtlrun.sharing.ple import Ple
from mtlrun.sharing.soft_l2 import SoftL2
from mtlrun.sharing.trace_norm import TraceNorm
from mtlrun.util.registry import Registry

_OWN: dict[str, type[Sharing]] = {
    "hard": Hard,
    "none": NoSharing,
    "groups": Groups,
    "soft_l2": SoftL2,
    "mean_regularized": MeanRegularized,
    "trace_norm": TraceNorm,
    "joint_features": JointFeatures,
    "l1": L1,
    "cross_stitch": CrossStitch,
    "mmoe": Mmoe,
    "cgc": Cgc,
    "ple": Ple,
}
SHARING: Registry[type[Sharing]] = Registry("sharing", _OWN, Sharing)

__all__ = ["SHARING", "Plan", "PulledBack", "Sharing"]
