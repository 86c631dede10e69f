"""Demonstrations of mtlrun: generated problems and experiments that each show one mechanism; `extension` lists them."""
