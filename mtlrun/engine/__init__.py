"""Training of a stack of R runs. Tensors begin with the run axis R.

loop.py            trains: epochs of steps, evaluation, selection, checkpoints
stack.py           what a stack trains: network, strategy, data; state.py: training progress; member.py: one run of it
step.py            one step: losses, weights (from mtlrun.loss), gradients, optimiser
backward.py        weighted losses -> gradients of the parameters: in one pass, or by task
flat.py            one buffer for all parameters; optimizer.py: the optimisers on it
rates.py           learning rates [R, P]: config/schema/lr.py -> Config.rates -> rates.py, times mtlrun.lr's factor
gradient_noise.py  noise on the trunk's gradient; guard.py: what a step must not change; hardware.py: device, threads
batches.py         batches of encoded rows on the device
evaluate.py        losses and metrics of a split; trivial.py: those of trivial predictors
measure.py         figures of an evaluation; history.py: losses and weights of the steps before it
diagnostics.py     dead units, gates, gradient conflicts; importance.py: permutation importance
select.py          scores of checkpoints
divergence.py      losses and parameters that are not finite; signals.py: interruption
ending.py          the end of a run; calibration.py: temperatures and residuals from val
saving.py          when checkpoints are due; checkpoint.py: their files
memory.py          memory that a run needs
boosting/          gradient boosting in place of a network
"""
