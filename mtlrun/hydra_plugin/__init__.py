"""hydra/launcher=stack: found by Hydra because of where it lies."""
