"""Trunks, and the layers that networks are made of. Tensors begin with the run axis R.

layers.py         layers, activations, dropout, random generators
trunks/           the trunks by the name of their option of the group model
  base.py         their interface
  mlp.py          fully connected layers
  tabm.py         the same as an ensemble that shares its weights
  foreign.py      trunks of packages
"""
