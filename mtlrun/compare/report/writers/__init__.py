"""One small writer for each format of a comparison."""
