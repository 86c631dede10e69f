"""The network of a stack: encoder, trunk and heads, assembled along the graph. The trunk comes from mtlrun.sharing.

network.py      the network: forward pass and losses
assembly.py     task specifications and graph -> blocks of heads, in order
inputs.py       encoder: raw columns -> encoded inputs
number_scales.py  the scaling of numbers; number_features.py: their embeddings
block.py        what all blocks of heads have in common; heads.py: learnt heads
task_edges.py   edges from task to task; constants.py: what a loss holds constant (graph.constants)
supervision.py  labels of a batch, and the statistics of labels
prune.py        a trained network with some of its heads
"""
