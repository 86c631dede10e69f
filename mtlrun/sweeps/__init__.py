"""The runs of a sweep: plan, division into stacks, processes, launchers, forecast."""
