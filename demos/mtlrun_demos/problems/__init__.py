"""Generated tables whose answer is known: `data.path=synthetic:NAME`, formula and sizes in the docstring of NAME."""
