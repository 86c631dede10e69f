"""The garbage collector during short commands."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Makes the garbage collector rare: it goes over the modules and the columns of a wide table again and again."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 100, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
