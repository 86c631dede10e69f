"""The pictures of a comparison, as matplotlib figures of one column's width. matplotlib keeps no reference to them."""
