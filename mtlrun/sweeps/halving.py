"""Divides a stack into two with half the runs each, which continue from its checkpoint."""

from mtlrun.engine import checkpoint
from mtlrun.engine.state import part_of
from mtlrun.storage.sweep_folder import restacked
from mtlrun.sweeps.work import Work


def halves(work: Work) -> list[Work]:
    """Divides a stack into two with half the runs each, and records them in the sweep's plan.

    Returns only one if all runs of the other half have ended. The halves continue from the checkpoint of the whole. A
    half that lacks a loss strategy of the whole starts from step 0, because the saved parameters of the strategies do
    not fit.
    """
    middle = len(work.jobs) // 2
    slices = [slice(0, middle), slice(middle, len(work.jobs))]
    slices = [runs for runs in slices if not all(job.has_ended for job in work.jobs[runs])]
    with restacked(work.sweep, [[job.number for job in work.jobs[runs]] for runs in slices]) as numbers:
        parts = [Work(n, work.sweep, work.jobs[runs]) for n, runs in zip(numbers, slices, strict=True)]
        if work.checkpoint.exists():
            state = checkpoint.load(work.checkpoint)
            for part, runs in zip(parts, slices, strict=True):
                if _strategies(part) == _strategies(work):
                    checkpoint.save(part.checkpoint, part_of(state, runs))
    work.drop_checkpoint()  # also that of a first stage, which starts from step 0
    return parts


def _strategies(work: Work) -> list[str]:
    """The loss strategies of a stack, in the order in which it keeps their parameters."""
    return list(dict.fromkeys(job.config.loss.name for job in work.jobs))
