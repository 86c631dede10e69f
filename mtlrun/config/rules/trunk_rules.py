"""Rules about a trunk that is an ensemble, loaded, pre-trained or frozen."""

from mtlrun.config.schema import Config
from mtlrun.config.stages import TASK_FREE
from mtlrun.util.errors import RequestError, listing


def ensemble(config: Config) -> None:
    """A trunk that is an ensemble has layers, and the sharing scheme uses it as it is."""
    if config.net.ensemble == 1:
        return
    model, sharing = f"model={config.model.name}", config.sharing.name
    if not config.sharing.whole_trunks:
        raise RequestError(
            f"sharing={sharing}: {model} is an ensemble of trunks, each of which all tasks share\n"
            "set sharing=hard, or model=tabular"
        )
    if not config.net.hidden:
        raise RequestError(
            f"model.hidden: is empty, and the members of {model} share the weights of its layers\nset model.hidden=[64]"
        )


def given_trunk(config: Config) -> None:
    """A trunk that is loaded, pre-trained or frozen has parameters. No noise is added to a frozen trunk."""
    net = config.net
    asked = [key for key in ("init_from", "pretrain", "freeze") if getattr(net, key)]
    if asked and not net.hidden:
        raise RequestError(
            f"model.{asked[0]}: the trunk has no parameters, as model.hidden is empty\n"
            f"set model.hidden=[64], or model.{asked[0]}={'false' if asked[0] == 'freeze' else 'null'}"
        )
    if net.freeze and net.pretrain is None and config.trainer.gradient_noise:
        raise RequestError(
            "trainer.gradient_noise: is added to the trunk's gradient, and model.freeze keeps the trunk "
            "as it is\nset trainer.gradient_noise=0, or model.freeze=false"
        )


def pretrained_trunk(config: Config) -> None:
    """A trunk is pre-trained only if it is not loaded and if the sharing scheme has no parts per task."""
    if config.net.pretrain is None:
        return
    if config.net.init_from is not None:
        raise RequestError(
            "model.pretrain: model.init_from names a trunk that is trained already\nallowed: one of the two"
        )
    if config.sharing.name not in TASK_FREE:
        raise RequestError(
            f"model.pretrain: sharing={config.sharing.name} has parts of its own for each task\n"
            f"allowed with it: sharing={listing(TASK_FREE)}"
        )
