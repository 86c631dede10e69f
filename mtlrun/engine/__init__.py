"""Training: batches, the step, evaluation, the loop, checkpoints. Everything carries a leading run axis."""
