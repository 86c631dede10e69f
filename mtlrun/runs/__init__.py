"""A run in its folder: build, train, resume, transfer, predict, export."""
