"""The version of mtlrun."""

__version__ = "0.1.0"
