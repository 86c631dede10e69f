"""What every room uses: errors, text for a terminal, the version."""
