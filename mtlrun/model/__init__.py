"""The network: input encoding, trunk, heads, and their assembly along the graph. All over the run axis."""
