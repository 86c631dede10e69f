"""What runs leave behind: one schema, one writer."""
