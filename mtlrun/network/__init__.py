"""The network of a stack: inputs, trunks, heads, assembled along the graph."""
