"""The pictures of a comparison, as matplotlib figures of one column's width; no figure is kept by matplotlib itself."""
