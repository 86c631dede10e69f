"""The Hydra plugin hydra/launcher=stack. Hydra finds it as hydra_plugins.mtlrun_stack."""
