"""How tasks share features."""

from mtlrun.sharing.hard import Hard

SHARING = {"hard": Hard}

__all__ = ["SHARING", "Hard"]
